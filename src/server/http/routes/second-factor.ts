import * as security from '#contract/security.ts';
import { changePassword } from '#domain/accounts/change-password.ts';
import * as secondFactor from '#domain/accounts/second-factor.ts';
import { on } from '../mount.ts';
import type { Guesses } from '#domain/accounts/prove-password.ts';
import type { Route } from '../mount.ts';

/** The caller's password and second factor; guessing the current password is slowed as it is at sign-in. */
export function secondFactorRoutes(guesses: Guesses): Route[] {
  return [
    on(security.changePassword, (ctx, actor, input) => changePassword(ctx, actor, input, guesses)),
    on(security.getSecondFactor, (ctx, actor) => secondFactor.readSecondFactor(ctx, actor)),
    on(security.beginSecondFactor, (ctx, actor, input) => secondFactor.beginSecondFactor(ctx, actor, input, guesses)),
    on(security.confirmSecondFactor, (ctx, actor, input) => secondFactor.confirmSecondFactor(ctx, actor, input)),
    on(security.renewRecoveryCodes, (ctx, actor, input) => secondFactor.renewRecoveryCodes(ctx, actor, input, guesses)),
    on(security.endSecondFactor, (ctx, actor, input) => secondFactor.endSecondFactor(ctx, actor, input, guesses)),
  ];
}

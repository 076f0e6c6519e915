import { api } from '../../lib/api.ts';
import { i18n } from '../../lib/i18n.svelte.ts';
import { accountWords } from './settings/account-words.ts';
import { asProblem } from '../../lib/problem.ts';
import { problemText } from '../../lib/problem-text.ts';
import { announce } from '../../ui/live-region.svelte.ts';
import { toaster } from '../../ui/toaster.svelte.ts';
import { session } from './session.svelte.ts';
import type { Profile } from '#contract/accounts.ts';
import type { ApiProblem } from '../../lib/problem.ts';

export type ProfileChange = Partial<Omit<Profile, 'avatar_url'>>;

/** My profile and who may see it. */
export class ProfileState {
  #profile = $state.raw<Profile | null>(null);
  #problem = $state.raw<ApiProblem | null>(null);

  get profile(): Profile | null {
    return this.#profile;
  }
  /** Why it could not be read. */
  get problem(): ApiProblem | null {
    return this.#problem;
  }

  async load(): Promise<void> {
    this.#problem = null;
    try {
      this.#profile = await api.get<Profile>('/user/profile');
    } catch (error) {
      this.#problem = asProblem(error);
    }
  }

  /** Shows a change at once and takes it back if the server refuses. @returns the refusal, or null. */
  async change(change: ProfileChange): Promise<ApiProblem | null> {
    const before = this.#profile;
    if (!before) return null;
    this.#profile = { ...before, ...change };
    try {
      this.#profile = await api.put<Profile>('/user/profile', change);
      session.changed({ display_name: this.#profile.display_name });
      announce(accountWords().settings.saved);
      return null;
    } catch (error) {
      const problem = asProblem(error);
      this.#profile = before;
      toaster.error(`${i18n.m.problems.saveFailed}: ${problemText(problem)}`);
      return problem;
    }
  }
}

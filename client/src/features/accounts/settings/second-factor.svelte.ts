import { api } from '../../../lib/api.ts';
import { asProblem } from '../../../lib/problem.ts';
import type { SecondFactor } from '#contract/security.ts';
import type { ApiProblem } from '../../../lib/problem.ts';

export interface Enrolment {
  secret: string;
  uri: string;
  qr_svg: string;
}
/** What is going on beside the state the server knows: nothing, an app being connected, or codes shown this once. */
export type FactorStep =
  | { kind: 'rest' }
  | { kind: 'enrol'; enrolment: Enrolment }
  | { kind: 'codes'; recovery_codes: readonly string[]; isNew: boolean };

const REST: FactorStep = { kind: 'rest' };

/** Whether signing in asks for a code as well, and how that is changed. */
export class SecondFactorState {
  #status = $state.raw<SecondFactor | null>(null);
  #problem = $state.raw<ApiProblem | null>(null);
  #step = $state.raw<FactorStep>(REST);

  /** Null until it is known. */
  get status(): SecondFactor | null {
    return this.#status;
  }
  /** Why the status could not be read. */
  get problem(): ApiProblem | null {
    return this.#problem;
  }
  get step(): FactorStep {
    return this.#step;
  }

  async load(): Promise<void> {
    this.#problem = null;
    try {
      this.#status = await api.get<SecondFactor>('/auth/second-factor');
    } catch (error) {
      this.#problem = asProblem(error);
    }
  }

  /** Asks for a fresh secret. @returns why not, or null. */
  begin(current_password: string): Promise<ApiProblem | null> {
    return this.#try(async () => {
      const enrolment = await api.post<Enrolment>('/auth/second-factor', { current_password });
      this.#step = { kind: 'enrol', enrolment };
    });
  }

  /** Turns it on with a code of the app. @returns why not, or null. */
  confirm(code: string): Promise<ApiProblem | null> {
    return this.#try(async () => {
      const { recovery_codes } = await api.post<{ recovery_codes: string[] }>('/auth/second-factor/confirm', {
        code: code.replaceAll(/\s/g, ''),
      });
      this.#step = { kind: 'codes', recovery_codes, isNew: true };
      await this.load();
    });
  }

  /** Fresh recovery codes in place of the old ones. @returns why not, or null. */
  renew(current_password: string): Promise<ApiProblem | null> {
    return this.#try(async () => {
      const { recovery_codes } = await api.post<{ recovery_codes: string[] }>('/auth/second-factor/recovery-codes', {
        current_password,
      });
      this.#step = { kind: 'codes', recovery_codes, isNew: false };
      await this.load();
    });
  }

  /** Turns it off. @returns why not, or null. */
  end(current_password: string): Promise<ApiProblem | null> {
    return this.#try(async () => {
      await api.del('/auth/second-factor', { current_password });
      await this.load();
    });
  }

  /** Leaves what is going on: a secret not confirmed counts for nothing, codes are gone from here for good. */
  rest(): void {
    this.#step = REST;
  }

  async #try(act: () => Promise<void>): Promise<ApiProblem | null> {
    try {
      await act();
      return null;
    } catch (error) {
      return asProblem(error);
    }
  }
}

import { api } from '../../lib/api.ts';
import { asProblem, type ApiProblem } from '../../lib/problem.ts';
import { queryClient } from '../../lib/query.ts';
import type { Reply } from '#contract/endpoint.ts';
import type { Playlist, getInvite } from '#contract/playlists.ts';

export type Invite = Reply<typeof getInvite>;

/** What an invitation link leads to: what it offers, that I have that already, or that it works no more. */
export class JoinState {
  readonly #code: string;
  #invite = $state.raw<Invite | null>(null);
  #isSpent = $state(false);
  #problem = $state.raw<ApiProblem | null>(null);
  #busy = $state(false);

  constructor(code: string) {
    this.#code = code;
  }

  /** Null until it was read. */
  get invite(): Invite | null {
    return this.#invite;
  }
  /** Used, withdrawn, run out, or never made: the server tells these apart to nobody. */
  get isSpent(): boolean {
    return this.#isSpent;
  }
  /** Why it could not be read or accepted; asking again may help. */
  get problem(): ApiProblem | null {
    return this.#problem;
  }
  get busy(): boolean {
    return this.#busy;
  }
  /** What I am to the list already, if accepting would bring me nothing more. */
  get heldRole(): 'owner' | 'editor' | 'viewer' | null {
    const { my_role, role } = this.#invite ?? { my_role: null };
    if (my_role === null || my_role === 'public') return null;
    return my_role === 'viewer' && role === 'editor' ? null : my_role;
  }

  /** Reads what the invitation offers. */
  async load(): Promise<void> {
    await this.#ask(async () => {
      this.#invite = await api.get<Invite>(this.#path);
    });
  }

  /** Accepts it. @returns the list's id, or null when that did not work. */
  async accept(): Promise<string | null> {
    return this.#ask(async () => {
      const { id } = await api.post<Playlist>(`${this.#path}/accept`);
      void queryClient.invalidateQueries({ queryKey: ['playlists'] });
      return id;
    });
  }

  get #path(): string {
    return `/invites/${encodeURIComponent(this.#code)}`;
  }

  async #ask<Answer>(call: () => Promise<Answer>): Promise<Answer | null> {
    if (this.#busy) return null;
    this.#busy = true;
    this.#problem = null;
    try {
      return await call();
    } catch (error) {
      const problem = asProblem(error);
      if (problem.status === 404) this.#isSpent = true;
      else this.#problem = problem;
      return null;
    } finally {
      this.#busy = false;
    }
  }
}

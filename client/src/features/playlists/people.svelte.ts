import { api } from '../../lib/api.ts';
import { gateway } from '../../lib/gateway.svelte.ts';
import { i18n } from '../../lib/i18n.svelte.ts';
import { playlistWords } from '../../lib/playlist-words.ts';
import { asProblem, type ApiProblem } from '../../lib/problem.ts';
import { problemText } from '../../lib/problem-text.ts';
import { queryClient } from '../../lib/query.ts';
import { toaster } from '../../ui/toaster.svelte.ts';
import type { Collaborator, MemberRole } from '#contract/playlists.ts';
import type { Person } from '#contract/social.ts';
import type { PlaylistState } from './playlist.svelte.ts';

/** Who belongs to one list, as its panel shows it, and what its owner and its members can do about that. */
export class PeopleState {
  readonly #list: PlaylistState;
  #members = $state.raw<readonly Collaborator[] | null>(null);
  #problem = $state.raw<ApiProblem | null>(null);
  #busy = $state<string | null>(null);
  #refusals = $state(0);

  constructor(list: PlaylistState) {
    this.#list = list;
  }

  /** Null while they are on their way. */
  get members(): readonly Collaborator[] | null {
    return this.#members;
  }
  get problem(): ApiProblem | null {
    return this.#problem;
  }
  /** The id of whom something is being changed of; `public` for who may see the list. */
  get busy(): string | null {
    return this.#busy;
  }
  /** Raised after a refusal, so that the controls show again what holds. */
  get refusals(): number {
    return this.#refusals;
  }

  async load(): Promise<void> {
    this.#problem = null;
    try {
      this.#members = (await api.get<{ items: Collaborator[] }>(this.#path)).items;
    } catch (error) {
      this.#problem = asProblem(error);
    }
  }
  /** Reads them anew whenever the server tells of a change, as when somebody joins by a link. @returns how to end that. */
  follow(): () => void {
    return gateway.on('playlist:changed', ({ playlist_id }) => {
      if (playlist_id === this.#list.id) void this.load();
    });
  }

  add(person: Person, role: MemberRole): Promise<boolean> {
    return this.#change(person.id, async () => {
      await api.put(`${this.#path}/${person.id}`, { role });
      toaster.show({ text: playlistWords().people.added(person.display_name) });
    });
  }
  setRole(member: Collaborator, role: MemberRole): Promise<boolean> {
    return this.#change(member.id, async () => {
      const words = playlistWords().people;
      await api.put(`${this.#path}/${member.id}`, { role });
      toaster.show({ text: words.changed(member.display_name, words[role]) });
    });
  }
  /** Takes somebody off the list; the message can bring them back as they were. */
  remove(member: Collaborator): Promise<boolean> {
    const { role } = member;
    return this.#change(member.id, async () => {
      const words = playlistWords().people;
      await api.del(`${this.#path}/${member.id}`);
      toaster.show({
        text: words.removed(member.display_name),
        ...(role === 'editor' || role === 'viewer'
          ? { action: i18n.m.common.undo, onaction: () => void this.#bringBack(member, role) }
          : {}),
      });
    });
  }
  async setPublic(is_public: boolean): Promise<boolean> {
    return this.#change('public', () => this.#list.setPublic(is_public));
  }

  /** Makes a member the owner. @returns why that was refused, or null. */
  async handOverTo(member: Collaborator): Promise<ApiProblem | null> {
    try {
      await api.post(`${this.#listPath}/transfer`, { user_id: member.id });
    } catch (error) {
      return asProblem(error);
    }
    toaster.show({ text: playlistWords().people.handedOver(member.display_name) });
    void queryClient.invalidateQueries({ queryKey: ['playlists'] });
    await Promise.all([this.#list.refresh(), this.load()]);
    return null;
  }
  /** Takes me off the list. @returns why that was refused, or null. */
  async leave(): Promise<ApiProblem | null> {
    try {
      await this.#list.leave();
    } catch (error) {
      return asProblem(error);
    }
    return null;
  }

  get #listPath(): string {
    return `/playlists/${encodeURIComponent(this.#list.id)}`;
  }
  get #path(): string {
    return `${this.#listPath}/collaborators`;
  }

  #bringBack(member: Collaborator, role: MemberRole): Promise<boolean> {
    return this.#change(member.id, async () => {
      await api.put(`${this.#path}/${member.id}`, { role });
      toaster.show({ text: playlistWords().people.backAgain(member.display_name) });
    });
  }

  /** Runs one change and shows what holds then; a refusal is said with its reason. @returns whether it was done. */
  async #change(id: string, act: () => Promise<void>): Promise<boolean> {
    this.#busy = id;
    let isDone = false;
    try {
      await act();
      isDone = true;
    } catch (error) {
      this.#refusals++;
      toaster.error(`${playlistWords().people.failed}: ${problemText(asProblem(error))}`);
    } finally {
      this.#busy = null;
    }
    await Promise.all([this.#list.refresh(), this.load()]);
    return isDone;
  }
}

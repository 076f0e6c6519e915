import { goto } from '$app/navigation';
import { api, onSignedOut } from '../../lib/api.ts';
import { gateway } from '../../lib/gateway.svelte.ts';
import { i18n } from '../../lib/i18n.svelte.ts';
import { asProblem } from '../../lib/problem.ts';
import { problemText } from '../../lib/problem-text.ts';
import { queryClient } from '../../lib/query.ts';
import { loginAddress, placeOf } from '../../lib/sign-in.ts';
import { toaster } from '../../ui/toaster.svelte.ts';
import type { Me, Preferences } from '#contract/accounts.ts';
import type { ApiProblem } from '../../lib/problem.ts';

/** Mirrors DEFAULT_PREFERENCES of the contract, whose module would bring zod into the bundle. */
export const DEFAULTS: Preferences = {
  theme: 'system',
  language: 'system',
  single_key_shortcuts: true,
  announce_edits: 'summary',
  seek_step: 5,
  resume_queue: true,
  notify_friends: false,
  notify_playlists: true,
  new_playlists_public: false,
  new_playlists_collaborative: false,
  time_zone: null,
  show_presence: true,
};

/** Longer than a server takes to answer a sign-out. */
const STAYED_MS = 10_000;

/** Who is signed in here, and how they like the app. */
class Session {
  #me = $state.raw<Me | null>(null);
  #preferences = $state.raw<Preferences>(DEFAULTS);
  #problem = $state.raw<ApiProblem | null>(null);
  #loading: Promise<void> | null = null;
  #wasLost = $state(false);
  #onsignout: (() => void)[] = [];

  get me(): Me | null {
    return this.#me;
  }
  get preferences(): Preferences {
    return this.#preferences;
  }
  /** Why nobody could be loaded, when it is not for want of a sign-in. */
  get problem(): ApiProblem | null {
    return this.#problem;
  }
  /** A session ended while the app was open. */
  get wasLost(): boolean {
    return this.#wasLost;
  }
  get isAdmin(): boolean {
    return this.#me?.roles.includes('admin') ?? false;
  }
  /** Guests browse and play; a role above it wins. */
  get isGuest(): boolean {
    return this.#me !== null && !this.#me.roles.some((role) => role !== 'guest');
  }

  /** Finds out who is signed in, once; a later call asks again only if nobody was found. */
  load(): Promise<void> {
    if (this.#me) return Promise.resolve();
    this.#loading ??= this.#load().finally(() => (this.#loading = null));
    return this.#loading;
  }

  async #load(): Promise<void> {
    this.#problem = null;
    try {
      const [me, preferences] = await Promise.all([
        api.get<Me>('/auth/profile', undefined, { quiet_401: true }),
        api.get<Preferences>('/user/preferences', undefined, { quiet_401: true }),
      ]);
      this.#me = me;
      await this.#apply({ ...DEFAULTS, ...preferences });
      gateway.connect();
    } catch (error) {
      const problem = asProblem(error);
      if (problem.status !== 401) this.#problem = problem;
    }
  }

  /** Takes a new name or picture of mine, as the profile page saved it. */
  changed(part: Partial<Pick<Me, 'display_name' | 'avatar_url'>>): void {
    if (this.#me) this.#me = { ...this.#me, ...part };
  }

  /** Reads anew who I am, as after a change of my own role; what was known stays if that fails. */
  async refresh(): Promise<void> {
    try {
      this.#me = await api.get<Me>('/auth/profile');
    } catch (error) {
      toaster.error(problemText(asProblem(error)));
    }
  }

  /** Changes preferences at once, and back if the server refuses. */
  async setPreferences(change: Partial<Preferences>): Promise<void> {
    const before = this.#preferences;
    await this.#apply({ ...before, ...change });
    try {
      await this.#apply(await api.put<Preferences>('/user/preferences', change));
    } catch (error) {
      await this.#apply(before);
      toaster.error(`${i18n.m.problems.saveFailed}: ${problemText(asProblem(error))}`);
    }
  }

  /**
   * Leaves by a form of the page's own: the browser follows where the server sends it, be that the sign-in page or the
   * provider's own goodbye. Nothing of this person stays in memory, and of what they heard nothing on the device.
   */
  signOut(): void {
    if (!navigator.onLine) {
      toaster.error(i18n.m.problems.network);
      return;
    }
    gateway.disconnect();
    for (const handler of this.#onsignout) handler();
    const form = document.createElement('form');
    form.method = 'post';
    form.action = '/api/v1/auth/logout';
    document.body.append(form);
    // A page that comes back out of the browser's memory would still show this person.
    addEventListener('pageshow', (event) => event.persisted && location.reload());
    form.submit();
    // The page may have been kept by edits that wait: then it needs its line again.
    setTimeout(() => gateway.connect(), STAYED_MS);
  }

  /** Calls back when the person signs out, before the page goes. */
  onSignOut(handler: () => void): void {
    this.#onsignout.push(handler);
  }

  /** The session is gone: forget the person and ask them to sign in, keeping where they were. */
  lost(): void {
    // Many calls find it at once; only the first knows where the person was.
    if (!this.#me) return;
    this.#me = null;
    this.#wasLost = true;
    gateway.disconnect();
    queryClient.clear();
    void goto(loginAddress(placeOf(location)));
  }

  async #apply(preferences: Preferences): Promise<void> {
    this.#preferences = preferences;
    setTheme(preferences.theme);
    await i18n.use(preferences.language);
    remember('language', preferences.language);
  }
}

/** Draws the theme, and keeps it for the script in app.html that runs before the first paint. */
function setTheme(theme: Preferences['theme']): void {
  if (theme === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme;
  remember('theme', theme);
}

function remember(name: string, value: string): void {
  try {
    localStorage.setItem(name, value);
  } catch (error) {
    // Without storage the choice still holds: the server knows it.
    console.debug('not remembered', name, error);
  }
}

/** The language chosen last on this device, for the pages before sign-in. */
export function rememberedLanguage(): Preferences['language'] {
  try {
    const value = localStorage.getItem('language');
    return value === 'en' || value === 'de' ? value : 'system';
  } catch {
    return 'system';
  }
}

export const session = new Session();
onSignedOut(() => session.lost());

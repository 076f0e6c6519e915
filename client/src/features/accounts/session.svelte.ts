import { goto } from '$app/navigation';
import { api, onSignedOut } from '../../lib/api.ts';
import { gateway } from '../../lib/gateway.svelte.ts';
import { i18n } from '../../lib/i18n.svelte.ts';
import { asProblem } from '../../lib/problem.ts';
import { problemText } from '../../lib/problem-text.ts';
import { queryClient } from '../../lib/query.ts';
import { toaster } from '../../ui/toaster.svelte.ts';
import type { Me, Preferences } from '#contract/accounts.ts';
import type { ApiProblem } from '../../lib/problem.ts';

/** Mirrors DEFAULT_PREFERENCES of the contract, whose module would bring zod into the bundle. */
const DEFAULTS: Preferences = {
  theme: 'system',
  language: 'system',
  single_key_shortcuts: true,
  announce_edits: 'summary',
};

/** Where the server begins the sign-in; a plain navigation, because its pages live outside the client. */
export function signInAddress(return_to: string): string {
  return `/api/v1/auth/login?return_to=${encodeURIComponent(return_to)}`;
}

/** The client's own sign-in page, which explains and links to the server's. */
export function loginAddress(return_to: string): string {
  return return_to === '/' ? '/login' : `/login?return_to=${encodeURIComponent(return_to)}`;
}

/** A `return_to` from the address bar is followed only inside this site. */
export function safeReturnTo(value: string | null): string {
  return value !== null && /^\/(?![/\\])/.test(value) && !value.startsWith('/login') ? value : '/';
}

/** Who is signed in here, and how they like the app. */
class Session {
  #me = $state.raw<Me | null>(null);
  #preferences = $state.raw<Preferences>(DEFAULTS);
  #problem = $state.raw<ApiProblem | null>(null);
  #loading: Promise<void> | null = null;

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

  /** Changes preferences at once, and back if the server refuses. */
  async setPreferences(change: Partial<Preferences>): Promise<void> {
    const before = this.#preferences;
    await this.#apply({ ...before, ...change });
    try {
      await this.#apply(await api.put<Preferences>('/user/preferences', change));
    } catch (error) {
      await this.#apply(before);
      toaster.error(`${i18n.m.settings.saveFailed}: ${problemText(asProblem(error))}`);
    }
  }

  async signOut(): Promise<void> {
    try {
      await api.post('/auth/logout', undefined, { quiet_401: true });
    } catch (error) {
      const problem = asProblem(error);
      if (problem.status !== 401) {
        toaster.error(problemText(problem));
        return;
      }
    }
    gateway.disconnect();
    // A full navigation leaves nothing of this person in memory.
    location.assign('/login');
  }

  /** The session is gone: forget the person and ask them to sign in, keeping where they were. */
  lost(): void {
    this.#me = null;
    gateway.disconnect();
    queryClient.clear();
    void goto(loginAddress(location.pathname + location.search));
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

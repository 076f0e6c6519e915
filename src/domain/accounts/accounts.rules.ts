import unhomoglyph from 'unhomoglyph';
import type { Role } from '#contract/accounts.ts';
import type { Credential } from '../context.ts';

export const USERNAME_MIN = 2;
export const USERNAME_MAX = 40;
export const PASSWORD_MIN = 8;
/** Hashing cost does not depend on it; it only keeps a request small. */
export const PASSWORD_MAX = 200;

/** Which of a person's ways in ended. */
export type EndedAccess =
  | { kind: 'session'; session_id: string }
  /** A session at the provider: what was opened by it here, and its access tokens. */
  | { kind: 'provider_session'; sid: string }
  | { kind: 'api_token'; token_id: string }
  /** Every session and access token but one session; API tokens stay. */
  | { kind: 'sign_ins'; except_session_id: string | null }
  | { kind: 'everything' };

/** Whether a credential is among what ended. (Sessions here know their provider's session; the caller ends those by id.) */
export function isEnded(credential: Credential, which: EndedAccess): boolean {
  switch (which.kind) {
    case 'everything':
      return true;
    case 'session':
      return credential.kind === 'session' && credential.session_id === which.session_id;
    case 'provider_session':
      return credential.kind === 'token' && credential.sid === which.sid;
    case 'api_token':
      return credential.kind === 'api_token' && credential.token_id === which.token_id;
    case 'sign_ins':
      return (
        credential.kind === 'token' ||
        (credential.kind === 'session' && credential.session_id !== which.except_session_id)
      );
  }
}

/** Names that would read as the server speaking, or as nobody. */
const RESERVED = new Set(
  (
    'me self you nobody anonymous anyone everyone all null undefined none unknown deleted deleted-user system server ' +
    'stepheybot stepheybot-music bot api auth oidc setup login logout signup settings local security'
  ).split(' '),
);
/** Names of an office: an administrator may carry one, nobody else may look like one. */
const OFFICES = new Set('admin administrator root owner operator moderator mod support staff help'.split(' '));

/** Scripts with letters that pass for each other; a name stays within one of them. */
const LOOKALIKE_SCRIPTS = [
  /\p{Script=Latin}/u,
  /\p{Script=Cyrillic}/u,
  /\p{Script=Greek}/u,
  /\p{Script=Armenian}/u,
  /\p{Script=Cherokee}/u,
  /\p{Script=Coptic}/u,
  /\p{Script=Georgian}/u,
];

/** The form a username is shown in: NFKC, so that full-width and ligature spellings become the plain one. */
export function normalizeUsername(name: string): string {
  return name.normalize('NFKC').trim();
}

/** The form by which usernames are unique: two names that differ in case or compatibility spelling share it. */
export function foldUsername(name: string): string {
  // Up, then down folds what lower-casing alone keeps apart (ß/ss, dotless i); both sigmas end as one.
  return normalizeUsername(name).toUpperCase().toLowerCase().replaceAll('ς', 'σ').normalize('NFKC');
}

/** What a username looks like (Unicode UTS 39 §4, "skeleton"): two names that can be taken for each other share it. */
export function usernameSkeleton(name: string): string {
  // Capitals have lookalikes of their own, so the small form is mapped again. A dot above an i is not seen.
  return unhomoglyph(unhomoglyph(normalizeUsername(name)).toLowerCase()).replace(/([ijl])\u0307+/g, '$1');
}

/** Says what is wrong with a username's spelling, or null. Reserved words are another question. */
export function usernameProblem(name: string): string | null {
  const length = [...name].length;
  if (length < USERNAME_MIN || length > USERNAME_MAX) return `must have ${USERNAME_MIN} to ${USERNAME_MAX} characters`;
  // Some marks and letters are there to be seen by no one: variation selectors, joiners, fillers.
  if (!/^[\p{L}\p{M}\p{Nd}._-]+$/u.test(name) || /\p{Default_Ignorable_Code_Point}/u.test(name))
    return 'may hold letters, digits, dot, underscore and hyphen only';
  if (!/^[\p{L}\p{Nd}]/u.test(name) || !/[\p{L}\p{M}\p{Nd}]$/u.test(name))
    return 'must begin and end with a letter or digit';
  if (/\p{M}{3}/u.test(name) || /[._-]{2}/.test(name)) return 'has too many marks in a row';
  if (LOOKALIKE_SCRIPTS.filter((script) => script.test(name)).length > 1)
    return 'mixes alphabets whose letters look alike';
  return null;
}

const looks = (names: Iterable<string>) => new Set([...names].map(usernameSkeleton));
const RESERVED_LOOKS = looks(RESERVED);
const OFFICE_LOOKS = looks(OFFICES);

/** Whether a local account of this role may not carry the name, or one that can be taken for it. */
export function isReservedUsername(name: string, role: Role): boolean {
  // As written and in small letters: ADMIN and admin look like different names, and are one.
  const seen = [usernameSkeleton(name), usernameSkeleton(foldUsername(name))];
  return seen.some((look) => RESERVED_LOOKS.has(look) || (OFFICE_LOOKS.has(look) && role !== 'admin'));
}

/** A valid username from what a provider tells: its own, cut to our rules, else a neutral one. Never from the e-mail. */
export function usernameFromClaims(claims: { username?: string | undefined; name?: string | undefined }): string {
  for (const claimed of [claims.username, claims.name]) {
    if (claimed === undefined) continue;
    // A provider whose usernames are e-mail addresses would otherwise publish them.
    const local = normalizeUsername(claimed).split('@')[0] ?? '';
    const cut = [...local.replace(/[^\p{L}\p{M}\p{Nd}._-]+/gu, '-').replace(/[._-]{2,}/g, '-')]
      .slice(0, USERNAME_MAX)
      .join('')
      .replace(/^[^\p{L}\p{Nd}]+/u, '')
      .replace(/[._-]+$/, '');
    if (usernameProblem(cut) === null) return cut;
  }
  return 'listener';
}

/** The nth attempt at a free name: `ana`, `ana-2`, `ana-3`, …, within the length limit. */
export function withSuffix(username: string, n: number): string {
  if (n === 1) return username;
  const suffix = `-${n}`;
  return (
    [...username]
      .slice(0, USERNAME_MAX - suffix.length)
      .join('')
      .replace(/[._-]+$/, '') + suffix
  );
}

/** The strongest of our roles among a provider's, by name; null when it names none of ours. */
export function roleFromClaims(roles: readonly unknown[] | undefined): Role | null {
  for (const role of ['admin', 'user', 'guest'] as const) if (roles?.includes(role) === true) return role;
  return null;
}

/** Says what is wrong with a new password, or null. Length is all that is asked (NIST SP 800-63B §3.1.1.2). */
export function passwordProblem(password: string): string | null {
  const length = [...password].length;
  if (length < PASSWORD_MIN) return `must have at least ${PASSWORD_MIN} characters`;
  if (length > PASSWORD_MAX) return `must have at most ${PASSWORD_MAX} characters`;
  return null;
}

/** As `passwordProblem`, for one that takes another's place; both are compared as they are hashed. */
export function newPasswordProblem(password: string, current: string): string | null {
  if (password.normalize('NFKC') === current.normalize('NFKC')) return 'must differ from the current one';
  return passwordProblem(password);
}

/** Browsers that name themselves in each other's words: the more telling name comes first. */
const BROWSERS: readonly [RegExp, string][] = [
  [/\bEdg(e|A|iOS)?\//, 'Edge'],
  [/\bOPR\/|\bOpera/, 'Opera'],
  [/\bSamsungBrowser\//, 'Samsung Internet'],
  [/\bFirefox\/|\bFxiOS\//, 'Firefox'],
  [/\b(Headless)?Chrome\/|\bCriOS\/|\bChromium\//, 'Chrome'],
  [/\bSafari\//, 'Safari'],
];
const SYSTEMS: readonly [RegExp, string][] = [
  [/\biPhone\b/, 'iPhone'],
  [/\biPad\b/, 'iPad'],
  [/\bAndroid\b/, 'Android'],
  [/\bWindows\b/, 'Windows'],
  [/\bMac OS X\b|\bMacintosh\b/, 'macOS'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\bLinux\b/, 'Linux'],
];

/** Words for a browser and its system that a person recognises; what is not recognised is shown as it calls itself. */
export function deviceFromUserAgent(userAgent: string): string {
  const of = (known: typeof BROWSERS) => known.find(([pattern]) => pattern.test(userAgent))?.[1];
  const [browser, system] = [of(BROWSERS), of(SYSTEMS)];
  if (browser !== undefined && system !== undefined) return `${browser} (${system})`;
  return browser ?? system ?? userAgent.slice(0, 60);
}

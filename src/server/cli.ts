/** The operator's verbs: `npm run admin -- help`. They work beside a running server, on the same database. */
import { rotateKeys } from './cli/keys.ts';
import { migrate } from './cli/migrate.ts';
import { renewPlaylistVerb, repairPlaylists } from './cli/playlists.ts';
import { scan } from './cli/scan.ts';
import { rebuildSearch } from './cli/search.ts';
import { rebuildStats } from './cli/stats.ts';
import { InterruptedError, RefusedError, UsageError, complain } from './cli/terminal.ts';
import { tokenVerbs } from './cli/tokens.ts';
import { userVerbs } from './cli/users.ts';
import { readConfig } from './config.ts';
import { explain } from './explain.ts';
import type { Verb } from './cli/terminal.ts';

const USAGE = `Usage: npm run admin -- <verb>

  user create NAME [--role admin|user|guest] [--display-name TEXT] [--email ADDRESS] [--password-stdin]
                         make an account of this server; asks for the password, or makes one up and
                         prints it when nobody can be asked
  user disable NAME      lock a person out; what they made stays
  user enable NAME       let a person in again
  user role NAME ROLE    make a person admin, user or guest
  user reset NAME        print a link by which a person sets a new password, once
  user remove-second-factor NAME
                         let a person who lost it sign in by password alone
  token create NAME --name TEXT --scope read|write|listen:write … [--expires-in-days N]
                         make an API token for a person and print it, this once
  scan                   read the music in MUSIC_DIR
  rotate-keys [--resume]
                         make a new key for the secrets kept in the database, and seal them anew with it;
                         --resume goes on where an earlier run broke off, without another key
  rebuild-stats [USER]   make the statistics of a person, or of everybody, anew from what they heard
  rebuild-search         make what the library is searched by anew from its tracks, albums and artists
  repair-playlists [ID]  verify the rows of one playlist, or of all, against its document, and build
                         anew those that differ
  renew-playlist ID [--forget]
                         begin the document of a playlist anew from what it holds; copies of the one
                         before are not taken back; --forget drops its history and checkpoints too
  migrate                bring the database to this version
  help                   this page

The settings are the server's own: DATA_DIR, MUSIC_DIR, DATABASE_URL, OIDC_ISSUER, PUBLIC_URL, SECRET_KEYS.
`;

const VERBS: Readonly<Record<string, Verb | Readonly<Record<string, Verb>>>> = {
  user: userVerbs,
  token: tokenVerbs,
  scan,
  'rotate-keys': rotateKeys,
  'rebuild-stats': rebuildStats,
  'rebuild-search': rebuildSearch,
  'repair-playlists': repairPlaylists,
  'renew-playlist': renewPlaylistVerb,
  migrate,
};

/** Does what the command line says. @returns the exit code */
async function run([verb, ...rest]: string[]): Promise<number> {
  if (verb === 'help' || verb === '--help' || verb === '-h') {
    process.stdout.write(USAGE);
    return 0;
  }
  const settings = () => readConfig(process.env);
  if (verb === undefined) throw new UsageError('a verb is missing');
  const found = Object.hasOwn(VERBS, verb) ? VERBS[verb] : undefined;
  if (found === undefined) throw new UsageError(`there is no "${verb}"`);
  if (typeof found === 'function') return found(rest, settings);
  const [what, ...args] = rest;
  if (what === undefined) throw new UsageError(`${verb} what?`);
  const second = Object.hasOwn(found, what) ? found[what] : undefined;
  if (second === undefined) throw new UsageError(`there is no "${verb} ${what}"`);
  return second(args, settings);
}

/** Tells what went wrong. @returns the exit code: 2 for the command line, 130 for Ctrl-C, 1 for the rest */
function fail(error: unknown): number {
  const isBadFlag = error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS_');
  if (error instanceof UsageError || isBadFlag) {
    complain(`${error.message}\n\n${USAGE.trimEnd()}`);
    return 2;
  }
  if (error instanceof InterruptedError) return 130;
  const line = error instanceof RefusedError ? error.message : explain(error);
  complain(line ?? (error instanceof Error ? String(error.stack) : String(error)));
  return 1;
}

// Nothing that is left open, such as a terminal or a connection, keeps the command from ending.
process.exit(await run(process.argv.slice(2)).catch(fail));

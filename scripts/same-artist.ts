/**
 * Whether what sounds alike to us does so to people: of the five tracks nearest to a track, how many are by its artist.
 * `node scripts/same-artist.ts [debian-package…]`, by hand: it downloads tagged music by `apt-get download` (without root, nothing
 * is installed) into a temporary folder, which it removes. Exit 1 below 0.20.
 *
 * Without arguments three packages of 160 MB. `supertuxkart-data naev-data widelands-data` besides are 1.4 GB more.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { analyseFile } from '#domain/library/features/analyse-file.ts';
import { SOUND_WEIGHTS } from '#domain/library/features/sound.rules.ts';
import { readTrack } from '#domain/library/read-track.ts';
import { createSoundSpace } from '#domain/recommendations/sound-space.rules.ts';

const PACKAGES = ['colobot-common-sounds', 'hyperrogue-music', 'fretsonfire-songs-muldjord'];
/** Shorter files are sounds of the game. */
const SHORTEST_SECONDS = 40;
const NEIGHBOURS = 5;
const LEAST = 0.2;

const run = promisify(execFile);
const asked = process.argv.slice(2);
const folder = await mkdtemp(path.join(tmpdir(), 'same-artist-'));
const tracks: { id: string; artist: string; vector: Float32Array }[] = [];
try {
  await run('apt-get', ['download', ...(asked.length > 0 ? asked : PACKAGES)], { cwd: folder });
  for (const deb of (await readdir(folder)).filter((name) => name.endsWith('.deb')))
    await run('dpkg-deb', ['-x', deb, path.join(folder, 'music')], { cwd: folder });
  const names = await readdir(path.join(folder, 'music'), { recursive: true });
  for (const name of names.filter((one) => /\.(ogg|oga|opus|mp3|flac)$/.test(one)).sort()) {
    const file = path.join(folder, 'music', name);
    const read = await readTrack({ file, track_path: name, dataDir: path.join(folder, 'data') }).catch(() => null);
    if (read === null || 'problem' in read || (read.duration ?? 0) < SHORTEST_SECONDS) continue;
    const artist = read.tags.artist;
    if (artist === null) continue;
    const features = await analyseFile({ file, container: read.container, duration: read.duration });
    if ('problem' in features || features.sound === null) console.log(`${name}: not analysed`);
    else tracks.push({ id: name, artist: artist.toLowerCase(), vector: features.sound.vector });
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}

const space = createSoundSpace(SOUND_WEIGHTS);
for (const { id, vector } of tracks) space.set(id, vector);
const artistOf = new Map(tracks.map(({ id, artist }) => [id, artist]));
let found = 0;
let chance = 0;
let asks = 0;
for (const { id, artist } of tracks) {
  const others = tracks.filter((other) => other.artist === artist).length - 1;
  // Who has one track only cannot be found.
  if (others === 0) continue;
  asks++;
  const nearest = await space.nearest(id, NEIGHBOURS);
  found += nearest.filter((one) => artistOf.get(one.id) === artist).length / NEIGHBOURS;
  chance += others / (tracks.length - 1);
}
const figure = (sum: number) => Number((sum / Math.max(1, asks)).toFixed(3));
console.log(JSON.stringify({ name: 'tracks with an artist', value: tracks.length, unit: 'tracks' }));
console.log(JSON.stringify({ name: 'same artist among five, by chance', value: figure(chance), unit: 'share' }));
console.log(JSON.stringify({ name: 'same artist among five', value: figure(found), must: LEAST, unit: 'share' }));
if (figure(found) < LEAST) process.exitCode = 1;

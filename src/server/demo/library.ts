/** The demo's music: eight albums by artists that do not exist, played by code. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { makeFlac, makePng, makeWav } from './music.ts';
import { seeded } from './seeded.ts';

interface DemoAlbum {
  artist: string;
  title: string;
  genre: string;
  year: number;
  color: string;
  /** Hertz of its lowest tune. */
  lowest: number;
  tracks: readonly string[];
}

const ALBUMS: readonly DemoAlbum[] = [
  {
    artist: 'The Paper Lanterns',
    title: 'Harbour Lights',
    genre: 'Indie',
    year: 2019,
    color: '#c2563c',
    lowest: 130,
    tracks: ['Low Tide', 'Ferry at Nine', 'Salt on the Window', 'Harbour Lights', 'Home by Morning'],
  },
  {
    artist: 'The Paper Lanterns',
    title: 'Second Winter',
    genre: 'Indie',
    year: 2022,
    color: '#3c6ec2',
    lowest: 146,
    tracks: ['First Frost', 'Borrowed Coat', 'Second Winter', 'Thin Ice', 'Thaw'],
  },
  {
    artist: 'Quartz & Clover',
    title: 'Meadow Circuits',
    genre: 'Electronic',
    year: 2021,
    color: '#3f9a5b',
    lowest: 165,
    tracks: ['Boot Sequence', 'Meadow Circuits', 'Clover', 'Soft Clock', 'Night Mowing'],
  },
  {
    artist: 'Ondine Marsh',
    title: 'Letters from the Reed Bed',
    genre: 'Folk',
    year: 2016,
    color: '#8a7a3a',
    lowest: 110,
    tracks: ['Reed Bed', 'The Heron’s Errand', 'Wet Boots', 'A Letter Unsent', 'Evening, Slowly'],
  },
  {
    artist: 'Ondine Marsh',
    title: 'Kitchen Tapes',
    genre: 'Folk',
    year: 2023,
    color: '#b0506f',
    lowest: 123,
    tracks: ['Kettle Song', 'Half a Loaf', 'Radio Low', 'Tuesday', 'Washing Up'],
  },
  {
    artist: 'Brass Monorail',
    title: 'Express to Nowhere',
    genre: 'Jazz',
    year: 2014,
    color: '#6a4bb5',
    lowest: 98,
    tracks: ['Doors Closing', 'Express to Nowhere', 'Blue Signal', 'Ticket, Please', 'Last Stop'],
  },
  {
    artist: 'Çelik & Søn',
    title: 'Nordlys',
    genre: 'Ambient',
    year: 2020,
    color: '#2f8f95',
    lowest: 87,
    tracks: ['Før daggry', 'Nordlys', 'Şafak', 'Stille #2', '100 % Snow'],
  },
  {
    artist: 'Velvet Abacus',
    title: 'Count to Ten',
    genre: 'Electronic',
    year: 2024,
    color: '#a8842c',
    lowest: 196,
    tracks: ['One, Two', 'Carry the Three', 'Prime', 'Remainder', 'Count to Ten'],
  },
];

/** How many tracks the demo has. */
export const DEMO_TRACK_COUNT = ALBUMS.reduce((sum, album) => sum + album.tracks.length, 0);

/** Writes every `of`th album, from the `nth` on. Synthesis takes time, so several threads share it. */
export async function writeAlbums(folder: string, nth: number, of: number): Promise<void> {
  for (const [i, album] of ALBUMS.entries()) {
    if (i % of !== nth) continue;
    const chance = seeded(album.year * 31 + i);
    const cover = makePng(320, album.color);
    // Packing takes four times as long as synthesis, so only some albums are packed.
    const [extension, make] = i < of ? (['flac', makeFlac] as const) : (['wav', makeWav] as const);
    const dir = path.join(folder, album.artist, `${album.year} ${album.title}`);
    await mkdir(dir, { recursive: true });
    for (const [at, title] of album.tracks.entries()) {
      const file = path.join(dir, `${String(at + 1).padStart(2, '0')} ${title}.${extension}`);
      const { artist, genre, year } = album;
      const seconds = chance.between(35, 55);
      const frequency = album.lowest * 2 ** (chance.between(0, 9) / 12) + at;
      await writeFile(
        file,
        make({ title, artist, album: album.title, genre, year, track: at + 1, seconds, frequency, cover }),
      );
    }
  }
}

/** Two threads, as there are seldom fewer cores. */
const THREADS = 2;

/** Makes the library in `folder`. */
export async function makeDemoLibrary(folder: string): Promise<void> {
  await Promise.all(
    Array.from(
      { length: THREADS },
      (_, nth) =>
        new Promise<void>((resolve, reject) => {
          const worker = new Worker(new URL('./library.worker.ts', import.meta.url), {
            workerData: { folder, nth, of: THREADS },
          });
          worker.once('error', reject);
          worker.once('exit', (code) =>
            code === 0 ? resolve() : reject(new Error(`making music ended with ${code}`)),
          );
        }),
    ),
  );
}

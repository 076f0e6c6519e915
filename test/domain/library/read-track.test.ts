import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { imageType } from '#domain/library/covers.ts';
import { readTrack } from '#domain/library/read-track.ts';
import { startTrackReader } from '#domain/library/track-reader.ts';
import { FORMATS, makePng, makeTrack } from '../../support/music/make-track.ts';
import type { ReadResult } from '#domain/library/read-track.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'read-track-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function read(name: string, content: Buffer): Promise<ReadResult> {
  const file = path.join(folder, name);
  writeFileSync(file, content);
  return readTrack({ file, track_path: name, dataDir: path.join(folder, 'data') });
}
async function readGood(name: string, content: Buffer) {
  const result = await read(name, content);
  if ('problem' in result) throw new Error(result.problem);
  return result;
}

const CODEC = { mp3: 'MP3', flac: 'FLAC', ogg: 'Vorbis', opus: 'Opus', m4a: 'AAC', aac: 'AAC', wav: 'PCM' };
const spec = {
  title: 'Über # 100% «Nacht»',
  artist: '草野マサムネ',
  album: 'Ein "Album"',
  albumArtist: 'Various Artists',
  genre: ['Jazz', 'Folk'],
  year: '1999-04-01',
  track: 3,
  disc: 2,
  seconds: 1,
  frequency: 330,
};

describe.each(FORMATS)('%s', (format) => {
  test('[LB6] tags, length, codec and picture are read', async () => {
    const track = await readGood(`a.${format}`, makeTrack(format, { ...spec, cover: makePng(20, '#336699') }));
    expect(track.tags).toEqual({
      title: spec.title,
      artist: spec.artist,
      main_artist: spec.artist,
      album: spec.album,
      album_artist: spec.albumArtist,
      genres: spec.genre,
      year: 1999,
      track_number: 3,
      disc_number: 2,
      recording_mbid: null,
      isrc: null,
    });
    expect(track.duration).toBeGreaterThan(0.8);
    expect(track.duration).toBeLessThan(1.2);
    expect(track.codec).toBe(CODEC[format]);
    expect(track.cover?.mime).toBe('image/png');
  });

  test('[LB2] a retag, with or without a picture of any size, keeps the audio hash; other audio has another', async () => {
    // Over two Ogg pages and two hashed ends of audio.
    const long = { ...spec, seconds: 6 };
    const plain = await readGood(`b.${format}`, makeTrack(format, { seconds: 6, frequency: 330 }));
    const tagged = await readGood(`c.${format}`, makeTrack(format, long));
    const noise = Buffer.alloc(300_000, makePng(90, '#abcdef'));
    const pictured = await readGood(
      `d.${format}`,
      makeTrack(format, { ...long, title: 'x'.repeat(400), cover: noise }),
    );
    const other = await readGood(`e.${format}`, makeTrack(format, { ...long, frequency: 331 }));
    const longer = await readGood(`f.${format}`, makeTrack(format, { ...long, seconds: 7 }));
    expect(new Set([plain.audio_hash, tagged.audio_hash, pictured.audio_hash]).size).toBe(1);
    expect(new Set([plain.audio_hash, other.audio_hash, longer.audio_hash]).size).toBe(3);
    expect(plain.tags.title).toBe('b');
  });

  test('[LB5] a file cut anywhere is read or reported, never thrown', async () => {
    const whole = makeTrack(format, { ...spec, seconds: 0.4 });
    for (const share of [0.001, 0.01, 0.1, 0.5, 0.9]) {
      const result = await read(`g.${format}`, whole.subarray(0, Math.ceil(whole.length * share)));
      expect('problem' in result ? typeof result.problem : typeof result.audio_hash).toBe('string');
    }
  });
});

test('[LB2] tags at the end of an MP3 (ID3v1, APE, Lyrics3) do not count', async () => {
  const audio = makeTrack('mp3', { seconds: 2 });
  const id3v1 = Buffer.concat([Buffer.from('TAG'), Buffer.alloc(125, 'x')]);
  const lyricsText = Buffer.from('LYRICSBEGINEAL00005title');
  const lyrics = Buffer.concat([lyricsText, Buffer.from(`${String(lyricsText.length).padStart(6, '0')}LYRICS200`)]);
  const item = Buffer.concat([Buffer.from([3, 0, 0, 0, 0, 0, 0, 0]), Buffer.from('Title\0abc')]);
  const apePart = (flags: number) => {
    const part = Buffer.alloc(32);
    part.write('APETAGEX');
    part.writeUInt32LE(2000, 8);
    part.writeUInt32LE(item.length + 32, 12);
    part.writeUInt32LE(1, 16);
    part.writeUInt32LE(flags >>> 0, 20);
    return part;
  };
  const ape = Buffer.concat([apePart(0xa0000000), item, apePart(0x80000000)]);
  const plain = await readGood('tail.mp3', audio);
  for (const tail of [[id3v1], [ape], [ape, id3v1], [lyrics, id3v1], [ape, lyrics, id3v1]]) {
    const tagged = await readGood('tail.mp3', Buffer.concat([audio, ...tail]));
    expect(tagged.audio_hash).toBe(plain.audio_hash);
  }
});

test.each([
  ['empty', Buffer.alloc(0), /empty/],
  ['text', Buffer.from('this is not music at all, only words'), /not audio/],
  ['zeros', Buffer.alloc(5000), /./],
  ['a picture', makePng(30, '#ffffff'), /not audio/],
])('[LB5] %s under the name of music is reported', async (_name, content, reason) => {
  const result = await read('bad.mp3', content);
  expect('problem' in result ? result.problem : 'read as music').toMatch(reason);
});

test('[LB8] a picture is taken by its first bytes, not by its name', async () => {
  expect(imageType(makePng(2, '#000000'))).toBe('image/png');
  expect(imageType(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'))).toBeNull();
  expect(imageType(Buffer.from('GIF89a'))).toBeNull();
  const track = await readGood(
    'svg.flac',
    makeTrack('flac', { seconds: 0.2, cover: Buffer.from('<svg onload="alert(1)"/>') }),
  );
  expect(track.cover).toBeNull();
});

test('[LB5] a file that keeps its reader busy for too long is a problem of that file alone', async () => {
  const file = path.join(folder, 'slow.wav');
  writeFileSync(file, makeTrack('wav', { seconds: 0.2 }));
  const job = { file, track_path: 'slow.wav', dataDir: folder };
  // Starting a process alone takes longer than this.
  const hasty = startTrackReader(1, { timeoutMs: 1 });
  expect(await hasty.read(job)).toEqual({ problem: 'takes too long to read', isPassing: true });
  hasty.close();
  const reader = startTrackReader(1);
  const results = await Promise.all(Array.from({ length: 10 }, () => reader.read(job)));
  expect(results.every((result) => 'audio_hash' in result)).toBe(true);
  const cut = reader.read(job);
  reader.close();
  await expect(cut).rejects.toThrow(/closed/);
  await expect(reader.read(job)).rejects.toThrow(/closed/);
});

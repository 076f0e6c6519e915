import { describe, expect, test } from 'vitest';
import { chooseTrack, compareTracks } from '#domain/library/matching/match.rules.ts';
import { artistLikeness } from '#domain/library/matching/names.rules.ts';
import { titleParts } from '#domain/library/matching/titles.rules.ts';
import type { Candidate } from '#domain/library/matching/match.rules.ts';

const seconds = (text: string) => text.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
let made = 0;
function track(title: string, artist: string | null, length: string | null, more: Partial<Candidate> = {}): Candidate {
  const duration = length === null ? null : seconds(length);
  return {
    id: `track-${made++}`,
    title,
    artist,
    album: null,
    album_artist: null,
    duration,
    year: null,
    missing_since: null,
    ...more,
  };
}
const wanted = (title: string, artist: string | null, length: string | null = null) => ({
  title,
  artist,
  duration_ms: length === null ? null : seconds(length) * 1000,
});

describe('one name against one track', () => {
  test.each([
    // The table of the format notes.
    ['Hey Jude - Remastered 2015', 'The Beatles', '7:05', 'Hey Jude', 'The Beatles', '7:06', 'match'],
    ['Blinding Lights', 'The Weeknd', '3:20', 'Blinding Lights (Chromatics Remix)', 'The Weeknd', '4:15', 'no'],
    ['Umbrella', 'Rihanna, JAY-Z', '4:35', 'Umbrella', 'Rihanna feat. Jay‐Z', '4:36', 'match'],
    ['Alive - Live', 'Pearl Jam', '5:41', 'Alive', 'Pearl Jam', '5:40', 'no'],
    ['Déjà Vu (feat. JAY-Z)', 'Beyoncé', '4:00', 'Deja Vu', 'Beyonce', '4:00', 'match'],
    ['Intro', 'The xx', '2:07', 'Intro', 'alt-J', '2:07', 'no'],
    ['P.Y.T. (Pretty Young Thing)', 'Michael Jackson', '3:58', 'PYT', 'Michael Jackson', '3:59', 'match'],
    [
      'Shine On You Crazy Diamond, Pts. 1-5',
      'Pink Floyd',
      '13:32',
      'Shine On You Crazy Diamond (Parts VI-IX)',
      'Pink Floyd',
      '12:22',
      'no',
    ],
    ['99 Luftballons', 'Nena', '3:53', '99 Red Balloons', 'Nena', '3:50', 'no'],
    [
      'The Less I Know The Better',
      'Tame Impala',
      '3:36',
      'Less I Know the Better, The',
      'Tame Impala',
      '3:38',
      'match',
    ],
    [
      'Rolling in the Deep',
      'Adele',
      null,
      'Rolling in the Deep (Karaoke Version)',
      'Originally Performed by Adele',
      '3:49',
      'no',
    ],
    // A word that means another recording only where it is added.
    ['Live Forever', 'Oasis', '4:36', 'Live Forever', 'Oasis', '4:36', 'match'],
    ['Live Forever', 'Oasis', '4:36', 'Live Forever (Live at Knebworth)', 'Oasis', '4:36', 'no'],
    [
      'Fake Plastic Trees (Acoustic)',
      'Radiohead',
      '4:41',
      'Fake Plastic Trees - Acoustic Version',
      'Radiohead',
      '4:42',
      'match',
    ],
    ['Love Story (Taylor’s Version)', 'Taylor Swift', '3:55', 'Love Story', 'Taylor Swift', '3:56', 'no'],
    ['Song (A Remix)', 'Ana', '3:00', 'Song (B Remix)', 'Ana', '3:00', 'no'],
    // Who it is by.
    ['Dancing Queen', 'ABBA', '3:50', 'Dancing Queen', 'Abba Teens', '3:49', 'no'],
    [
      'Under Pressure - Remastered',
      'Queen, David Bowie',
      '4:08',
      'Under Pressure',
      'Queen & David Bowie',
      '4:07',
      'match',
    ],
    ['T.N.T.', 'AC/DC', '3:35', 'TNT', 'AC-DC', '3:35', 'match'],
    ['Mr. Brightside', 'The Killers', '3:42', 'Mr Brightside', 'Killers', '3:43', 'match'],
    ['Song', null, '3:42', 'Song', 'Ana', '3:42', 'close'],
    // How long it is.
    ['Song', 'Ana', '3:42', 'Song', 'Ana', '3:52', 'match'],
    ['Song', 'Ana', '3:42', 'Song', 'Ana', '3:58', 'close'],
    ['Song', 'Ana', '3:42', 'Song', 'Ana', '4:20', 'no'],
    ['Long piece', 'Ana', '30:00', 'Long piece', 'Ana', '30:25', 'match'],
    // Numbers.
    ['Symphony No. 5', 'Beethoven', '30:00', 'Symphony No. 6', 'Beethoven', '30:10', 'no'],
    ['Symphony No. 5', 'Beethoven', '30:00', 'Symphony Nr. V', 'Beethoven', '30:10', 'match'],
    ['Song Part II', 'Ana', '3:00', 'Song', 'Ana', '3:00', 'no'],
    // Signs and spelling.
    [
      "(Sittin' On) The Dock of the Bay",
      'Otis Redding',
      '2:43',
      "Sittin' on the Dock of the Bay",
      'Otis Redding',
      '2:45',
      'match',
    ],
    ['+', 'Ed Sheeran', '3:00', '+', 'Ed Sheeran', '3:00', 'match'],
    ['( )', 'Ana', '3:00', '+', 'Ana', '3:00', 'no'],
    ['Bohemian Rapsody', 'Queen', '5:55', 'Bohemian Rhapsody', 'Queen', '5:54', 'match'],
    ['Bohemian Rapsody', 'Queen', null, 'Bohemian Rhapsody', 'Queen', '5:54', 'close'],
    // A short word with another letter is another word.
    ['When He Was Here', 'Ana', '3:00', 'When She Was Here', 'Ana', '3:00', 'close'],
    ['All the Right Friends', 'Ana', '3:00', 'All the Night Friends', 'Ana', '3:00', 'close'],
    ['Nine Million Bicycles', 'Ana', '3:00', '9 Million Bicycles', 'Ana', '3:01', 'match'],
    ['Nineteen Forty Five', 'Ana', '3:00', 'Nineteen Forty Six', 'Ana', '3:00', 'no'],
    ['Twenty-One Guns', 'Ana', '3:00', '21 Guns', 'Ana', '3:01', 'match'],
    ['Rocky V', 'Ana', '3:00', 'Rocky 5', 'Ana', '3:00', 'match'],
    ['Rocky III', 'Ana', '3:00', 'Rocky IV', 'Ana', '3:00', 'no'],
    [
      'A Title That Is Cut At The End',
      'Ana',
      '3:00',
      'A Title That Is Cut At The End of Its Tag',
      'Ana',
      '3:00',
      'match',
    ],
    [
      'A Title That Is Cut At The End',
      'Ana',
      null,
      'A Title That Is Cut At The End of Its Tag',
      'Ana',
      '3:00',
      'close',
    ],
    ['A Title That Ends', 'Ana', '3:00', 'A Title That Ends Later', 'Ana', '3:00', 'no'],
    ['Song', 'Various Artists', '3:00', 'Song', 'Ana', '3:00', 'close'],
    // Works by their catalogue.
    [
      'Sonata in B-flat, K. 333: II. Andante',
      'Ana',
      '6:00',
      'Piano Sonata No. 13, KV 333: 2. Andante cantabile',
      'Ana',
      '6:01',
      'match',
    ],
    ['Sonata, K. 333: II. Andante', 'Ana', '6:00', 'Sonata, K. 332: II. Andante', 'Ana', '6:00', 'no'],
    ['Sonata, K. 333: II. Andante', 'Ana', '6:00', 'Sonata, K. 333: III. Andante', 'Ana', '6:00', 'no'],
    ['Sonata, K. 333: II. Andante', 'Ana', '6:00', 'Sonata, K. 333: II. Andante', 'Ben', '6:00', 'no'],
    ['Waltz, Op. 64 No. 2', 'Ana', '3:30', 'Waltzes, Op. 64: No. 2 in C-sharp minor', 'Ana', '3:31', 'match'],
    ['Waltz, Op. 64 No. 1', 'Ana', '3:30', 'Waltz, Op. 64 No. 2', 'Ana', '3:30', 'no'],
    // Every composer has an opus 9.
    ['Waltz, Op. 9 No. 2', 'Ana', '3:30', 'Nocturne, Op. 9 No. 2', 'Ana', '3:30', 'no'],
  ] as const)(
    '[PL60] %s by %s (%s) against %s by %s (%s): %s',
    (title, artist, length, theirTitle, theirArtist, theirLength, verdict) => {
      expect(compareTracks(wanted(title, artist, length), track(theirTitle, theirArtist, theirLength)).verdict).toBe(
        verdict,
      );
    },
  );

  test('[PL60] an album of concerts says so of its songs', () => {
    const live = track('Creep', 'Radiohead', '4:00', { album: 'Live at the Astoria' });
    expect(compareTracks(wanted('Creep', 'Radiohead', '4:00'), live).verdict).toBe('no');
    expect(compareTracks({ ...wanted('Creep', 'Radiohead', '4:00'), album: 'Live at the Astoria' }, live).verdict).toBe(
      'match',
    );
  });

  test.each([
    ['Crosby, Stills & Nash', 'Crosby Stills and Nash', 1],
    ['Tyler, The Creator', 'Tyler The Creator', 1],
    ['Simon & Garfunkel', 'Simon', 1],
    ['Crosby, Stills & Nash', 'Crosby, Stills, Nash & Young', 0],
    ['Lil Nas X feat. Ben', 'Lil Nas X', 1],
    ['Clara, Ana Trio, Ben', 'Ana Trio, Ben', 1],
    ['Ana Trio, Ben', 'Ana Trio, Clara', 1],
    ['Ben', 'Ana feat. Ben', 0],
    ['Radiohead', 'Portishead', 0],
  ])('[PL60] %s and %s: %d', (a, b, expected) => {
    expect(artistLikeness(a, b)).toBe(expected);
  });

  test('[PL60] a title is taken apart', () => {
    const { base, marks, numbers, credits } = titleParts('Song, Pt. 2 (feat. Ben) [2011 Remaster] - Live at Home');
    expect({ base, marks: [...marks.keys()], numbers, credits }).toEqual({
      base: 'song pt 2',
      marks: ['live'],
      numbers: '2',
      credits: ['ben'],
    });
  });
});

describe('one name against many tracks', () => {
  test('[PL60] two that are as good are a question', () => {
    const choice = chooseTrack(wanted('Song', 'Ana'), [track('Song', 'Ana', '3:00'), track('Song', 'Ana', '4:00')]);
    expect(choice.outcome).toBe('close');
    expect(
      chooseTrack(wanted('Song', 'Ana', '4:01'), [track('Song', 'Ana', '3:00'), track('Song', 'Ana', '4:00')]),
    ).toMatchObject({
      outcome: 'match',
      candidate: { duration: 240 },
    });
  });

  test('[PL60] one song on several albums is a question unless the album tells, or one of the files is gone', () => {
    const first = track('Song', 'Ana', '3:00', { album: 'First', year: 1990 });
    const best = track('Song', 'Ana', '3:01', { album: 'Best of', year: 2001 });
    expect(chooseTrack(wanted('Song', 'Ana'), [best, first])).toMatchObject({
      outcome: 'close',
      candidates: [{ candidate: first }, { candidate: best }],
    });
    expect(chooseTrack({ ...wanted('Song', 'Ana'), album: 'Third' }, [best, first]).outcome).toBe('close');
    expect(chooseTrack({ ...wanted('Song', 'Ana'), album: 'Best Of' }, [best, first])).toMatchObject({
      candidate: best,
    });
    const gone = { ...first, missing_since: 1 };
    expect(chooseTrack(wanted('Song', 'Ana'), [gone, best])).toMatchObject({ candidate: best });
  });

  test('[PL60] of the files that name one recording the first that came out is taken', () => {
    const isrc = 'USSM19902991';
    const first = track('Song', 'Ana', '3:00', { album: 'First', year: 1990, isrc });
    const best = track('Song', 'Ana', '3:01', { album: 'Best of', year: 2001, isrc });
    expect(chooseTrack(wanted('Song', 'Ana'), [best, first])).toMatchObject({ candidate: first });
    // Nobody knows which that is, or it is two.
    const undated = { ...first, year: null };
    expect(chooseTrack(wanted('Song', 'Ana'), [undated, { ...best, year: null }]).outcome).toBe('close');
    expect(chooseTrack(wanted('Song', 'Ana'), [first, { ...best, year: 1990 }]).outcome).toBe('close');
    expect(chooseTrack(wanted('Song', 'Ana'), [first, { ...best, isrc: 'USSM19902992' }]).outcome).toBe('close');
  });

  test('[PL60] of two editions of an album the one named', () => {
    const plain = track('Song', 'Ana', '3:00', { album: 'First' });
    const long = track('Song', 'Ana', '3:00', { album: 'First (Deluxe Edition)' });
    for (const one of [plain, long]) {
      expect(chooseTrack({ ...wanted('Song', 'Ana'), album: one.album }, [plain, long])).toMatchObject({
        candidate: one,
      });
    }
    expect(chooseTrack({ ...wanted('Song', 'Ana'), album: 'First (Remastered)' }, [plain, long]).outcome).toBe('close');
  });
});

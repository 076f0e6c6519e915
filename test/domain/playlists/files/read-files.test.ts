import { Buffer } from 'node:buffer';
import { ZipFile } from 'yazl';
import { describe, expect, test } from 'vitest';
import { readPlaylistFiles } from '#domain/playlists/files/read-files.ts';
import { fileNameOf } from '#domain/playlists/files/written.ts';
import { writeJson, writeJspf } from '#domain/playlists/files/jspf.ts';
import { writeM3u } from '#domain/playlists/files/m3u.ts';
import { writeXspf } from '#domain/playlists/files/xspf.ts';
import type { WrittenPlaylist } from '#domain/playlists/files/written.ts';

const read = (text: string | Uint8Array, name = 'list') =>
  readPlaylistFiles({ name, bytes: typeof text === 'string' ? Buffer.from(text) : text });
const one = async (text: string | Uint8Array, name?: string) => {
  const [list, ...others] = await read(text, name);
  expect(others).toEqual([]);
  return list ?? expect.fail('no list');
};
const names = async (text: string | Uint8Array, name?: string) =>
  (await one(text, name)).entries.map(({ artist, title }) => `${artist ?? '?'} – ${title}`);

async function zipOf(files: Record<string, string | Buffer>): Promise<Buffer> {
  const zip = new ZipFile();
  for (const [name, content] of Object.entries(files)) zip.addBuffer(Buffer.from(content), name);
  zip.end();
  const chunks: Buffer[] = [];
  for await (const chunk of zip.outputStream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

describe('M3U', () => {
  test('[PL61] with and without its tags, whatever ends its lines', async () => {
    const list = await one('#EXTM3U\r\n#PLAYLIST:Kitchen\r\n#EXTINF:123,Ana - One\r\n../Music/one.mp3\r\ntwo.flac\r\n');
    expect(list.name).toBe('Kitchen');
    expect(list.entries).toMatchObject([
      { artist: 'Ana', title: 'One', duration_ms: 123_000, path: '../Music/one.mp3' },
      { artist: null, title: 'two', duration_ms: null, path: 'two.flac' },
    ]);
    expect(await names('a.mp3\rb.mp3\r')).toEqual(['? – a', '? – b']);
  });

  test.each([
    ['#EXTINF:-1,A - B', { duration_ms: null, artist: 'A', title: 'B' }],
    ['#EXTINF:12.5,A - B', { duration_ms: 12_500 }],
    ['#EXTINF:123 tvg-id="x,y" group="z",A - B', { artist: 'A', title: 'B', duration_ms: 123_000 }],
    ['#EXTINF:10,Jay-Z - 99 Problems', { artist: 'Jay-Z', title: '99 Problems' }],
    ['#EXTINF:10,A - B - C', { artist: 'A', title: 'B - C' }],
    ['#EXTINF:,', { title: 'song' }],
    [
      '#EXTART:Somebody\n#EXTALB:Album\n#EXTINF:10,Title - with dash',
      { artist: 'Somebody', album: 'Album', title: 'Title - with dash' },
    ],
  ])('[PL61] %j', async (lines, expected) => {
    expect((await one(`#EXTM3U\n${lines}\nsong.mp3\n`)).entries).toMatchObject([expected]);
  });

  test('[PL61] paths of every system are compared, and addresses elsewhere are none', async () => {
    const list = await one(
      '#EXTM3U\nC:\\Music\\a b.mp3\n\\\\server\\share\\c.mp3\nfile:///C:/Music/d%20e.mp3\nhttp://example.org/f.mp3\n100% pure.mp3\n',
    );
    expect(list.entries.map((entry) => entry.path)).toEqual([
      'C:\\Music\\a b.mp3',
      '\\\\server\\share\\c.mp3',
      '/C:/Music/d e.mp3',
      null,
      '100% pure.mp3',
    ]);
  });

  test('[PL61] in UTF-8, UTF-16 and Windows-1252', async () => {
    expect(await names(Buffer.from('\uFEFF#EXTM3U\n#EXTINF:1,Björk - Jóga\nx.mp3', 'utf8'))).toEqual(['Björk – Jóga']);
    expect(await names(Buffer.from('\uFEFF#EXTM3U\n#EXTINF:1,Björk - Jóga\nx.mp3', 'utf16le'))).toEqual([
      'Björk – Jóga',
    ]);
    expect(await names(Buffer.from('#EXTM3U\n#EXTINF:1,Bj\xf6rk - J\xf3ga\nx.mp3', 'latin1'))).toEqual([
      'Björk – Jóga',
    ]);
    expect(await names(Buffer.from('#EXTM3U\n#EXTENC: windows-1251\n#EXTINF:1,\xc0 - \xc1\nx.mp3', 'latin1'))).toEqual([
      'А – Б',
    ]);
  });

  test('[PL61] lines nobody can mean are told, and the others stand', async () => {
    const list = await one(`#EXTM3U\n${'x'.repeat(9000)}\nok.mp3\nbad\u0001name.mp3\n`);
    expect(list.entries).toMatchObject([{ title: 'ok' }]);
    expect(list.skipped.map((skip) => skip.place)).toEqual(['line 2', 'line 4']);
    await expect(read('#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:10,\nseg.ts')).rejects.toThrow(/streams/);
  });
});

describe('XSPF', () => {
  const track = (inside: string) =>
    `<playlist version="1" xmlns="http://xspf.org/ns/0/"><title>L</title><trackList><track>${inside}</track></trackList></playlist>`;

  test('[PL61] names, ids and lengths', async () => {
    const list = await one(
      track(
        '<location>file:///music/a%20b.flac</location><identifier>https://musicbrainz.org/recording/E97F805A-AB48-4C52-855E-07049142113D/</identifier><identifier>urn:isrc:usrc17607839</identifier><title>One &amp; only</title><creator>Ana</creator><album><![CDATA[All <b>]]></album><duration>201000</duration><trackNum>0</trackNum>',
      ),
    );
    expect(list.name).toBe('L');
    expect(list.entries).toMatchObject([
      {
        title: 'One & only',
        artist: 'Ana',
        album: 'All <b>',
        duration_ms: 201_000,
        path: '/music/a b.flac',
        recording_mbid: 'e97f805a-ab48-4c52-855e-07049142113d',
        isrc: 'usrc17607839',
      },
    ]);
  });

  test.each([
    ['an entity of its own', '<!DOCTYPE x [<!ENTITY a "aaaa">]><playlist><trackList/></playlist>', /document type/],
    ['a file of the server', '<!DOCTYPE x SYSTEM "file:///etc/passwd"><playlist/>', /document type/],
    ['depth without end', `${'<a>'.repeat(5000)}`, /nested/],
    ['something else', '<html><body>no</body></html>', /no playlist/],
  ])('[PL61] refuses %s', async (_what, text, why) => {
    await expect(read(text)).rejects.toThrow(why);
  });

  test('[PL61] a file that breaks off gives what came before', async () => {
    const list = await one('<playlist><trackList><track><title>One</title></track><track><title>Tw');
    expect(list.entries).toMatchObject([{ title: 'One' }]);
    expect(list.skipped).toHaveLength(1);
  });

  test('[PL61] seconds where milliseconds belong are not believed', async () => {
    const of = (lengths: number[]) =>
      one(
        `<playlist><trackList>${lengths.map((n) => `<track><title>T</title><duration>${n}</duration></track>`).join('')}</trackList></playlist>`,
      );
    expect((await of([200, 180])).entries.map((entry) => entry.duration_ms)).toEqual([200_000, 180_000]);
    expect((await of([200_000, 180])).entries.map((entry) => entry.duration_ms)).toEqual([200_000, null]);
  });
});

describe('JSPF and JSON', () => {
  test('[PL61] as ListenBrainz writes it, with identifiers as text or list', async () => {
    const mbid = 'e97f805a-ab48-4c52-855e-07049142113d';
    const tracks = [
      { title: 'One', creator: 'Ana', identifier: `https://musicbrainz.org/recording/${mbid}`, duration: 1000 * 200 },
      {
        title: 'Two',
        creator: 'Ben',
        identifier: [`http://musicbrainz.org/recording/${mbid.toUpperCase()}/`],
        duration: '180000',
      },
      { nothing: true },
      {
        title: 'Three',
        extension: { 'https://musicbrainz.org/doc/jspf#track': [{ added_at: '2024-01-02T03:04:05Z' }] },
      },
    ];
    const list = await one(JSON.stringify({ playlist: { title: 'L', annotation: '<p>About</p>', track: tracks } }));
    expect(list).toMatchObject({ name: 'L', description: 'About' });
    expect(list.entries).toMatchObject([
      { recording_mbid: mbid, duration_ms: 200_000 },
      { recording_mbid: mbid, duration_ms: 180_000 },
      { added_at: Date.UTC(2024, 0, 2, 3, 4, 5) / 1000 },
    ]);
    expect(list.skipped).toHaveLength(1);
    expect(
      await read(JSON.stringify([{ playlist: { title: 'A', track: [] } }, { title: 'B', track: [] }])),
    ).toHaveLength(2);
  });

  test.each([['{"broken'], ['{"a":1}'], ['[1,2]'], ['{"playlist":{"track":3}}']])(
    '[PL61] %s is refused',
    async (text) => {
      await expect(read(text)).rejects.toThrow();
    },
  );
});

describe('tables and Spotify’s data', () => {
  const EXPORTIFY =
    'Track URI,Track Name,Artist URI(s),Artist Name(s),Album URI,Album Name,Album Artist URI(s),Album Artist Name(s),Album Release Date,Album Image URL,Disc Number,Track Number,Track Duration (ms),Track Preview URL,Explicit,Popularity,ISRC,Added By,Added At';
  const row =
    '"spotify:track:1","September","x","Earth\\, Wind & Fire, Somebody","x","Best, of","x","x","1978","","1","2","215000","","false","80","USSM17800845","me","2024-01-02T03:04:05Z"';

  test('[PL61] Exportify, also in another language, after Excel, and by its cousin', async () => {
    const expected = {
      title: 'September',
      artist: 'Earth, Wind & Fire, Somebody',
      album: 'Best, of',
      duration_ms: 215_000,
      isrc: 'USSM17800845',
    };
    expect((await one(`${EXPORTIFY}\n${row}\n`)).entries).toMatchObject([expected]);
    const german = EXPORTIFY.replaceAll('Track Name', 'Titelname').replaceAll('Artist Name(s)', 'Künstlername(n)');
    expect((await one(`\uFEFF${german}\r\n${row}\r\n\r\n`)).entries).toMatchObject([expected]);
    expect(
      (await one('Track Name;Artist Name(s);Album Name;Duration (ms)\n"One\nmore";Ana;"A ""b""";1000\n')).entries,
    ).toMatchObject([{ title: 'One more', artist: 'Ana', album: 'A "b"', duration_ms: 1000 }]);
  });

  test('[PL61] account data: songs, local files and talk', async () => {
    const list = await one(
      JSON.stringify({
        playlists: [
          {
            name: 'Mine &amp; yours',
            description: null,
            items: [
              {
                track: { trackName: 'Don&#x27;t', artistName: 'Ana', albumName: 'B', trackUri: 'spotify:track:1' },
                addedDate: '2024-01-02',
              },
              { track: null, localTrack: { uri: 'spotify:local:Ben+C:Alb%C3%BCm:Song:201' } },
              { track: null, episode: { episodeName: 'Talk' } },
              5,
            ],
          },
        ],
      }),
    );
    expect(list.name).toBe('Mine & yours');
    expect(list.entries).toMatchObject([
      { title: "Don't", artist: 'Ana', added_at: Date.UTC(2024, 0, 2) / 1000 },
      { title: 'Song', artist: 'Ben C', album: 'Albüm', duration_ms: 201_000 },
    ]);
    expect(list.skipped.map((skip) => skip.reason)).toEqual([
      'A podcast or an audiobook, no music.',
      'It names nothing.',
    ]);
  });

  test('[PL61] a zip of lists, each by its own name', async () => {
    const lists = await read(
      await zipOf({
        'a/Road trip.m3u8': '#EXTM3U\nx.mp3',
        'b.csv': `${EXPORTIFY}\n${row}`,
        '__MACOSX/._b.csv': 'x',
        'read me.pdf': 'x',
      }),
    );
    expect(lists.map((list) => list.name)).toEqual(['Road trip', 'b']);
  });

  test('[PL61] zips that unfold without end, or are broken, are refused', async () => {
    await expect(read(await zipOf({ 'bomb.json': Buffer.alloc(60_000_000) }))).rejects.toThrow(/unfolds/);
    await expect(
      read(await zipOf(Object.fromEntries(Array.from({ length: 501 }, (_, i) => [`${i}.m3u`, 'x'])))),
    ).rejects.toThrow(/500/);
    const whole = await zipOf({ 'a.m3u': '#EXTM3U\nx.mp3' });
    await expect(read(whole.subarray(0, whole.length - 30))).rejects.toThrow(/broken/);
  });

  test.each([['plain words'], ['\u0000\u0001\u0002'], ['%PDF-1.7'], ['']])('[PL61] %j is no playlist', async (text) => {
    await expect(read(text)).rejects.toThrow();
  });
});

describe('a list written and read back', () => {
  const list: WrittenPlaylist = {
    name: 'Röd & "blå" <1>',
    description: 'Two\nlines, ]]> and &amp;',
    owner: 'ana',
    created_at: 1_700_000_000,
    entries: [
      {
        title: 'One, two',
        artist: 'A - B',
        album: 'C',
        duration_ms: 201_234,
        isrc: 'USRC17607839',
        recording_mbid: 'e97f805a-ab48-4c52-855e-07049142113d',
        path: 'A#1/100% – ü.mp3',
        track_id: 'x'.repeat(22),
        added_at: 1_700_000_001,
        added_by: 'ben',
      },
      {
        title: 'Not here',
        artist: null,
        album: null,
        duration_ms: null,
        isrc: null,
        recording_mbid: null,
        path: null,
        track_id: null,
        added_at: 1_700_000_002,
        added_by: null,
      },
      {
        title: '夜に駆ける',
        artist: 'YOASOBI',
        album: null,
        duration_ms: 258_000,
        isrc: null,
        recording_mbid: null,
        path: null,
        track_id: null,
        added_at: 1_700_000_003,
        added_by: 'ana',
      },
    ],
  };
  const kept = ({ added_by: _by, ...entry }: WrittenPlaylist['entries'][number]) => entry;

  test.each([
    ['m3u8', writeM3u(list)],
    ['xspf', writeXspf(list)],
    ['jspf', writeJspf(list, false)],
    ['json', writeJson(list)],
  ])('[PL62] %s loses nothing', async (_format, text) => {
    const back = await one(text);
    expect(back).toMatchObject({ name: list.name, description: list.description, skipped: [] });
    expect(back.entries.map(({ others: _others, ...entry }) => entry)).toEqual(list.entries.map(kept));
  });

  test.each([
    ['AC/DC: best?', 'AC_DC_ best_'],
    ['...hidden', '_hidden'],
    ['CON', '_CON'],
    ['ends. ', 'ends'],
    ['', '_'],
    ['é'.repeat(300), 'é'.repeat(100)],
  ])('[PL62] %j is a file name anywhere', (name, expected) => {
    expect(fileNameOf(name)).toBe(expected);
  });
});

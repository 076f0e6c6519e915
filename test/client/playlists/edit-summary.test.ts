import { describe, expect, it } from 'vitest';
import { EditSummary } from '../../../client/src/features/playlists/edit-summary.ts';
import { playlistsEn } from '../../../client/src/lib/messages/playlists.en.ts';

const nameOf = (id: string | null) => (id === 'ana' ? 'Ana' : undefined);
const change = { added: [], restored: [], moved: [], removed: 0, name: null };

describe('what others did, in one sentence', () => {
  it('groups by person and kind, and starts anew once said', () => {
    const summary = new EditSummary();
    summary.take({ ...change, added: [{ entry_id: '1', added_by: 'ana' }] });
    summary.take({
      ...change,
      added: [
        { entry_id: '2', added_by: 'ana' },
        { entry_id: '3', added_by: 'x' },
      ],
      removed: 1,
    });
    summary.take({ ...change, moved: ['1', '2'] });
    summary.take({ ...change, moved: ['2'], restored: ['9'], name: 'Late' });
    expect(summary.say(playlistsEn.edit, nameOf)).toBe(
      'Ana added 2 tracks. Somebody added 1 track. 1 track was removed. 1 track is back. 2 tracks were moved. The playlist is now called Late',
    );
    expect(summary.isEmpty).toBe(true);
    expect(summary.say(playlistsEn.edit, nameOf)).toBe('');
  });
});

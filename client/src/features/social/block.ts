import { api } from '../../lib/api.ts';
import { i18n } from '../../lib/i18n.svelte.ts';
import { asProblem } from '../../lib/problem.ts';
import { problemText } from '../../lib/problem-text.ts';
import { queryClient } from '../../lib/query.ts';
import { announce } from '../../ui/live-region.svelte.ts';
import { toaster } from '../../ui/toaster.svelte.ts';
import { friends } from './friends.svelte.ts';

interface Someone {
  id: string;
  display_name: string;
}

const refresh = () => Promise.all([friends.reload(), queryClient.invalidateQueries({ queryKey: ['people'] })]);

/** Blocks a person; it can be taken back at once, though follows it ended stay ended. @returns whether it was done */
export async function blockPerson(person: Someone): Promise<boolean> {
  const m = i18n.m.people;
  try {
    await api.post(`/social/block/${person.id}`);
  } catch (error) {
    toaster.error(`${m.blockFailed(person.display_name)}: ${problemText(asProblem(error))}`, {
      action: i18n.m.common.retry,
      onaction: () => void blockPerson(person),
    });
    return false;
  }
  toaster.show({
    text: m.blocked(person.display_name),
    action: i18n.m.common.undo,
    onaction: () => void unblockPerson(person),
  });
  await refresh();
  return true;
}

/** Takes a block back. @returns whether it was done */
export async function unblockPerson(person: Someone): Promise<boolean> {
  const m = i18n.m.people;
  try {
    await api.del(`/social/block/${person.id}`);
  } catch (error) {
    toaster.error(`${m.unblockFailed(person.display_name)}: ${problemText(asProblem(error))}`, {
      action: i18n.m.common.retry,
      onaction: () => void unblockPerson(person),
    });
    return false;
  }
  announce(m.unblocked(person.display_name));
  await refresh();
  return true;
}

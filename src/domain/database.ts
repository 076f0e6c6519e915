import type { AdminTables } from './admin/admin.table.ts';
import type { AnswersTables } from './answers/answers.table.ts';
import type { AccountsTables } from './accounts/accounts.table.ts';
import type { FavoritesTables } from './favorites/favorites.table.ts';
import type { FeedTables } from './feed/feed.table.ts';
import type { IntegrationsTables } from './integrations/integrations.table.ts';
import type { JobsTables } from './jobs/jobs.table.ts';
import type { LibraryTables } from './library/library.table.ts';
import type { ListensTables } from './listens/listens.table.ts';
import type { PlaylistsTables } from './playlists/playlists.table.ts';
import type { RecommendationsTables } from './recommendations/recommendations.table.ts';
import type { SearchTables } from './search/search.table.ts';
import type { SocialTables } from './social/social.table.ts';
import type { StatsTables } from './stats/stats.table.ts';

/** Every table, by the slice that owns it. */
export type Schema = AccountsTables &
  AdminTables &
  AnswersTables &
  JobsTables &
  LibraryTables &
  ListensTables &
  FavoritesTables &
  FeedTables &
  PlaylistsTables &
  SearchTables &
  SocialTables &
  StatsTables &
  RecommendationsTables &
  IntegrationsTables;

/** Which tracks, from wherever they are shown, go into one of my playlists; the dialog is fetched when there are some. */
class AddToPlaylist {
  isOpen = $state(false);
  #track_ids = $state.raw<readonly string[]>([]);
  #title = $state('');

  get track_ids(): readonly string[] {
    return this.#track_ids;
  }
  get title(): string {
    return this.#title;
  }

  /** Opens the dialog for these tracks; `title` names the first of them. */
  open(track_ids: readonly string[], title: string): void {
    if (track_ids.length === 0) return;
    this.#track_ids = track_ids;
    this.#title = title;
    this.isOpen = true;
  }
}

export const addToPlaylist = new AddToPlaylist();

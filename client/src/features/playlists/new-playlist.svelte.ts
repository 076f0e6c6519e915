/** Whether a playlist is being made; the dialog is fetched the first time. */
class NewPlaylist {
  isOpen = $state(false);
}

export const newPlaylist = new NewPlaylist();

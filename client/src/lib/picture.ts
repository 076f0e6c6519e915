/** Pictures people give: of themselves, of a playlist. */

/** What the server takes as a picture (contract §3, issue 3). */
export const PICTURE_TYPES = ['image/png', 'image/jpeg', 'image/webp'] as const;
export const PICTURE_MAX_BYTES = 2 * 1024 * 1024;

export type PictureRefusal = 'empty' | 'tooLarge' | 'wrongType';

/** The type a file's first bytes say it has, whatever its name says. */
export function typeOf(head: Uint8Array): (typeof PICTURE_TYPES)[number] | null {
  const has = (at: number, bytes: readonly number[]) => bytes.every((byte, i) => head[at + i] === byte);
  if (has(0, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])) return 'image/png';
  if (has(0, [0xff, 0xd8, 0xff])) return 'image/jpeg';
  // "RIFF", four bytes of length, "WEBP".
  if (has(0, [0x52, 0x49, 0x46, 0x46]) && has(8, [0x57, 0x45, 0x42, 0x50])) return 'image/webp';
  return null;
}

/** Why a file cannot be a picture, or the file with the type its bytes say. */
export async function checkPicture(file: Blob): Promise<{ refusal: PictureRefusal } | { picture: Blob }> {
  if (file.size === 0) return { refusal: 'empty' };
  if (file.size > PICTURE_MAX_BYTES) return { refusal: 'tooLarge' };
  const type = typeOf(new Uint8Array(await file.slice(0, 12).arrayBuffer()));
  return type === null ? { refusal: 'wrongType' } : { picture: file.slice(0, file.size, type) };
}

/** A picture as it is served now, to be able to send it again; null when it cannot be had. */
export async function copyOfPicture(url: string): Promise<Blob | null> {
  try {
    const response = await fetch(url, { credentials: 'same-origin' });
    if (!response.ok) return null;
    const checked = await checkPicture(await response.blob());
    return 'picture' in checked ? checked.picture : null;
  } catch (error) {
    console.debug('no copy of the picture', error);
    return null;
  }
}

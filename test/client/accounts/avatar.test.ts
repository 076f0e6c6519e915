import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AvatarState } from '../../../client/src/features/accounts/settings/avatar.svelte.ts';
import { session } from '../../../client/src/features/accounts/session.svelte.ts';
import { checkPicture, typeOf, PICTURE_MAX_BYTES } from '../../../client/src/lib/picture.ts';
import { toaster } from '../../../client/src/ui/toaster.svelte.ts';
import { fakeServer, refusal } from '../support/fake-server.ts';
import { signedIn } from '../support/signed-in.ts';
import type { FakeServer } from '../support/fake-server.ts';

const PNG = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 1, 2, 3, 4]);
const WEBP = new Uint8Array([...'RIFF\0\0\0\0WEBP'].map((sign) => sign.charCodeAt(0)));
const OLD = '/api/v1/avatars/old';
const NEW = '/api/v1/avatars/new';

describe('what can be a picture', () => {
  it.each([
    ['png', PNG, 'image/png'],
    ['jpeg', new Uint8Array([0xff, 0xd8, 0xff, 0xe0]), 'image/jpeg'],
    ['webp', WEBP, 'image/webp'],
    ['gif', new TextEncoder().encode('GIF89a'), null],
    ['svg', new TextEncoder().encode('<svg xmlns'), null],
    ['another RIFF', new Uint8Array([...'RIFF\0\0\0\0WAVE'].map((sign) => sign.charCodeAt(0))), null],
    ['nothing', new Uint8Array(), null],
  ])('is told by the first bytes: %s', (_name, bytes, type) => {
    expect(typeOf(bytes)).toBe(type);
  });

  it('is sent with the type its bytes say, whatever its name says', async () => {
    const checked = await checkPicture(new File([PNG], 'me.jpg', { type: 'image/jpeg' }));
    expect('picture' in checked && checked.picture.type).toBe('image/png');
  });

  it('has at most 2 MB, and something in it', async () => {
    const filler = new Uint8Array(PICTURE_MAX_BYTES - PNG.length);
    expect(await checkPicture(new Blob([PNG, filler]))).toHaveProperty('picture');
    expect(await checkPicture(new Blob([PNG, filler, new Uint8Array(1)]))).toEqual({ refusal: 'tooLarge' });
    expect(await checkPicture(new Blob([]))).toEqual({ refusal: 'empty' });
    expect(await checkPicture(new Blob(['<svg/>'], { type: 'image/png' }))).toEqual({ refusal: 'wrongType' });
  });
});

describe('my picture', () => {
  let server: FakeServer;
  let avatar: AvatarState;

  beforeEach(async () => {
    vi.useFakeTimers();
    server = fakeServer();
    await signedIn(server, { avatar_url: OLD });
    avatar = new AvatarState();
    server.calls.length = 0;
  });
  afterEach(() => {
    avatar.discard();
    for (const toast of toaster.toasts) toaster.dismiss(toast.id);
    vi.useRealTimers();
    vi.restoreAllMocks();
    vi.unstubAllGlobals();
  });

  it('is looked at before anything is sent, and shows everywhere once it is', async () => {
    server.on('POST', '/user/avatar', () => ({ body: { avatar_url: NEW } }));
    await avatar.choose(new File([PNG], 'me.png'));
    expect(avatar.preview).toMatch(/^blob:/);
    expect(server.calls).toEqual([]);
    await avatar.upload();
    expect(server.calls[0]).toMatchObject({ method: 'POST', path: '/user/avatar', type: 'image/png' });
    expect(session.me?.avatar_url).toBe(NEW);
    expect(avatar.preview).toBeNull();
  });

  it('stays, with the reason, when the server refuses the file', async () => {
    server.on('POST', '/user/avatar', () => refusal(422, 'unprocessable', 'This picture cannot be read'));
    await avatar.choose(new File([PNG], 'me.png'));
    await avatar.upload();
    expect(avatar.error).toBe('The picture was not changed: This picture cannot be read');
    expect(avatar.preview).not.toBeNull();
    expect(session.me?.avatar_url).toBe(OLD);
  });

  it('is refused here, in words, before it is sent', async () => {
    await avatar.choose(new File(['GIF89a'], 'me.png', { type: 'image/png' }));
    expect(avatar.error).toBe('This is not a PNG, JPEG or WebP picture.');
    await avatar.choose(new File([PNG, new Uint8Array(3 * 1024 * 1024)], 'big.png'));
    expect(avatar.error).toBe('This file has 3 MB; 2 MB is the most.');
    await avatar.upload();
    expect(server.calls).toEqual([]);
  });

  it('comes back, by the message, after it was removed', async () => {
    server.on('GET', '/avatars/old', () => ({ body: new Blob([WEBP]) }));
    server.on('DELETE', '/user/avatar', () => ({ status: 204 }));
    server.on('POST', '/user/avatar', () => ({ body: { avatar_url: NEW } }));
    await avatar.remove();
    expect(session.me?.avatar_url).toBeNull();
    const toast = toaster.toasts.find((one) => one.action === 'Undo');
    toaster.act(toast!);
    await vi.waitFor(() => expect(session.me?.avatar_url).toBe(NEW));
    const sent = server.calls.at(-1)?.body as Blob;
    expect(new Uint8Array(await sent.arrayBuffer())).toEqual(WEBP);
  });

  it('is not shown as removed when it was not', async () => {
    server.on('GET', '/avatars/old', () => ({ body: new Blob([WEBP]) }));
    server.on('DELETE', '/user/avatar', () => refusal(503, 'unavailable'));
    await avatar.remove();
    expect(session.me?.avatar_url).toBe(OLD);
    expect(toaster.toasts[0]).toMatchObject({ tone: 'error' });
  });
});

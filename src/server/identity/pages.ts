import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';

export const STYLESHEET = readFileSync(new URL('./pages.css', import.meta.url), 'utf8');
export const STYLESHEET_PATH = '/oidc/pages.css';

/** Markup that is safe to send: made by `html` alone. */
class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escape = (text: string): string => text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');

type Part = string | Markup | null | undefined | false | Part[];

function render(part: Part): string {
  if (part === null || part === undefined || part === false) return '';
  if (Array.isArray(part)) return part.map(render).join('');
  return part instanceof Markup ? part.text : escape(part);
}

/** Everything put into the template is escaped, unless it is markup itself. */
function html(strings: TemplateStringsArray, ...parts: Part[]): Markup {
  return new Markup(strings.map((text, i) => text + render(parts[i])).join(''));
}

function layout(title: string, content: Markup): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title} · StepheyBot Music</title>
        <link rel="stylesheet" href="${STYLESHEET_PATH}" />
      </head>
      <body>
        <main>
          <p class="brand">StepheyBot Music</p>
          <h1>${title}</h1>
          ${content}
        </main>
      </body>
    </html>`.text.replace(/\n\s+/g, '\n');
}

const alert = (error: string | null): Markup | false =>
  error !== null && html`<p class="error" role="alert">${error}</p>`;

/** The sign-in form of the embedded provider. */
export function loginPage(form: { action: string; username: string; error: string | null }): string {
  const hasName = form.username !== '';
  return layout(
    'Sign in',
    html`${alert(form.error)}
      <form method="post" action="${form.action}">
        <label for="username">Username</label>
        <input
          id="username"
          name="username"
          value="${form.username}"
          autocomplete="username"
          autocapitalize="none"
          spellcheck="false"
          maxlength="200"
          required
          ${!hasName && html`autofocus`}
        />
        <label for="password">Password</label>
        <input
          id="password"
          name="password"
          type="password"
          autocomplete="current-password"
          maxlength="400"
          required
          ${hasName && html`autofocus`}
        />
        <button type="submit">Sign in</button>
      </form>`,
  );
}

export interface SetupForm {
  token: string;
  username: string;
  display_name: string;
  errors: readonly { path: string; message: string }[];
}

/** The form that makes the first account. */
export function setupPage(form: SetupForm): string {
  const focused = form.errors[0]?.path || 'username';
  const invalid = (path: string): Part => [
    form.errors.some((error) => error.path === path) && html`aria-invalid="true" aria-describedby="problems" `,
    path === focused && html`autofocus`,
  ];
  return layout(
    'Welcome',
    html`<p>Make the first account. It is the administrator of this server.</p>
      ${
        form.errors.length > 0 &&
        html`<div class="error" role="alert" id="problems">
          ${form.errors.map((error) => html`<div>${error.message}</div>`)}
        </div>`
      }
      <form method="post" action="/setup">
        <input type="hidden" name="token" value="${form.token}" />
        <label for="username">Username</label>
        <input
          id="username"
          name="username"
          value="${form.username}"
          autocomplete="username"
          autocapitalize="none"
          spellcheck="false"
          maxlength="200"
          required
          ${invalid('username')}
        />
        <label for="display_name">Display name</label>
        <input
          id="display_name"
          name="display_name"
          value="${form.display_name}"
          autocomplete="name"
          maxlength="200"
          ${invalid('display_name')}
        />
        <label for="password">Password</label>
        <input
          id="password"
          name="password"
          type="password"
          autocomplete="new-password"
          maxlength="400"
          required
          ${invalid('password')}
        />
        <p class="hint">At least 8 characters.</p>
        <button type="submit">Create account</button>
      </form>`,
  );
}

/** A page that says one thing and offers one way on. */
export function messagePage(message: {
  title: string;
  text: string;
  code?: string;
  action?: { href: string; label: string };
}): string {
  return layout(
    message.title,
    html`<p role="alert">${message.text}</p>
      ${message.action !== undefined && html`<p><a class="button" href="${message.action.href}">${message.action.label}</a></p>`}
      ${message.code !== undefined && html`<p class="muted">Code: ${message.code}</p>`}`,
  );
}

/** What every page goes out with. */
export const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  // Without JavaScript: the pages carry none, and may load nothing but our stylesheet.
  'content-security-policy':
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  // Forms need their Origin header; other sites must not learn an address that may hold a one-time token.
  'referrer-policy': 'same-origin',
} as const;

/** Sends a page under its own strict policy; it is never kept by a cache. */
export function sendPageTo(res: ServerResponse, status: number, page: string): void {
  res.statusCode = status;
  for (const [name, value] of Object.entries(PAGE_HEADERS)) res.setHeader(name, value);
  res.end(page);
}

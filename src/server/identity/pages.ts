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

const alert = (error: string | null | undefined): Markup | false =>
  error !== null && error !== undefined && html`<p class="error" role="alert">${error}</p>`;

type FieldErrors = readonly { path: string; message: string }[];

/** What stands above a form: an error of the whole, or that something below is marked. */
function summary(errors: FieldErrors): Markup | false {
  const whole = errors.filter((error) => error.path === '');
  if (whole.length > 0) return html`${whole.map((error) => alert(error.message))}`;
  return errors.length > 0 && alert('Something is not right yet: see below.');
}

interface Field {
  id: string;
  label: string;
  type?: 'text' | 'password';
  value?: string;
  autocomplete: string;
  inputmode?: 'text' | 'numeric';
  /** A name or code that no keyboard should capitalise or correct. */
  isLiteral?: boolean;
  maxlength: number;
  isOptional?: boolean;
  isReadonly?: boolean;
  hint?: string;
  errors?: FieldErrors;
  isFocused?: boolean;
}

/** A label, its input, and what helps or hinders, tied to it for who cannot see them side by side. */
function fieldOf(field: Field): Markup {
  const { id, hint, errors = [] } = field;
  const wrong = errors.filter((error) => error.path === id);
  const described = [wrong.length > 0 && `${id}-error`, hint !== undefined && `${id}-hint`].filter((part) => part);
  return html`<div class="field">
    <label for="${id}">${field.label}</label>
    <input
      id="${id}"
      name="${id}"
      type="${field.type ?? 'text'}"
      ${field.value !== undefined && html`value="${field.value}"`}
      autocomplete="${field.autocomplete}"
      ${field.inputmode !== undefined && html`inputmode="${field.inputmode}"`}
      ${field.isLiteral === true && html`autocapitalize="none" spellcheck="false"`}
      maxlength="${String(field.maxlength)}"
      ${field.isOptional !== true && html`required`}
      ${field.isReadonly === true && html`readonly`}
      ${wrong.length > 0 && html`aria-invalid="true"`}
      ${described.length > 0 && html`aria-describedby="${described.join(' ')}"`}
      ${field.isFocused === true && html`autofocus`}
    />
    ${wrong.length > 0 && html`<p class="field-error" id="${id}-error" role="alert">${wrong.map((error) => error.message).join(' ')}</p>`}
    ${hint !== undefined && html`<p class="hint" id="${id}-hint">${hint}</p>`}
  </div>`;
}

/** The sign-in form of the embedded provider. */
export function loginPage(form: { action: string; username: string; error: string | null }): string {
  const hasName = form.username !== '';
  return layout(
    'Sign in',
    html`${alert(form.error)}
      <form method="post" action="${form.action}">
        ${fieldOf({
          id: 'username',
          label: 'Username',
          value: form.username,
          autocomplete: 'username',
          isLiteral: true,
          maxlength: 200,
          isFocused: !hasName,
        })}
        ${fieldOf({
          id: 'password',
          label: 'Password',
          type: 'password',
          autocomplete: 'current-password',
          maxlength: 400,
          isFocused: hasName,
        })}
        <button type="submit">Sign in</button>
      </form>`,
  );
}

export interface CodeForm {
  action: string;
  username: string;
  by: 'app' | 'recovery_code';
  /** False: codes of an app cannot be checked here now. */
  isReadable: boolean;
  error: string | null;
}

/** The second step of a sign-in: a code of the person's app, or one of their recovery codes. */
export function codePage(form: CodeForm): string {
  const errors = form.error === null ? [] : [{ path: 'code', message: form.error }];
  const byApp = form.by === 'app' && form.isReadable;
  return layout(
    'One more step',
    html`${
        !form.isReadable &&
        alert(
          'Codes of your app cannot be checked: this server lacks the key they are kept with. Use a recovery code, or ask an administrator to remove your second factor.',
        )
      }
      <p>
        ${
          byApp
            ? 'Enter the code that your authenticator app shows for'
            : 'Enter one of the recovery codes you kept for'
        }
        ${form.username}.
      </p>
      <form method="post" action="${form.action}">
        ${!byApp && html`<input type="hidden" name="by" value="recovery_code" />`}
        ${
          byApp
            ? fieldOf({
                id: 'code',
                label: 'Code',
                autocomplete: 'one-time-code',
                inputmode: 'numeric',
                isLiteral: true,
                maxlength: 40,
                hint: 'Six digits; each code works once.',
                errors,
                isFocused: true,
              })
            : fieldOf({
                id: 'code',
                label: 'Recovery code',
                autocomplete: 'off',
                inputmode: 'text',
                isLiteral: true,
                maxlength: 40,
                hint: 'Four groups of four letters and digits; each works once.',
                errors,
                isFocused: true,
              })
        }
        <button type="submit">Continue</button>
      </form>
      <p class="others">
        ${
          form.isReadable &&
          (byApp
            ? html`<a href="${form.action}?by=recovery_code">Use a recovery code instead</a>`
            : html`<a href="${form.action}">Use your app instead</a>`)
        }
        <a href="${form.action}?by=password">Sign in as somebody else</a>
      </p>`,
  );
}

interface NewAccountForm {
  username: string;
  display_name: string;
  errors: FieldErrors;
}

const PASSWORD_HINT = 'At least 8 characters.';

function newAccountFields({ username, display_name, errors }: NewAccountForm): Markup {
  const focused = errors[0]?.path || 'username';
  return html`${fieldOf({
    id: 'username',
    label: 'Username',
    value: username,
    autocomplete: 'username',
    isLiteral: true,
    maxlength: 200,
    hint: 'Letters, digits, dot, hyphen and underscore. Others find you by it.',
    errors,
    isFocused: focused === 'username',
  })}
  ${fieldOf({
    id: 'display_name',
    label: 'Display name',
    value: display_name,
    autocomplete: 'name',
    maxlength: 200,
    isOptional: true,
    errors,
    isFocused: focused === 'display_name',
  })}
  ${fieldOf({
    id: 'password',
    label: 'Password',
    type: 'password',
    autocomplete: 'new-password',
    maxlength: 400,
    hint: PASSWORD_HINT,
    errors,
    isFocused: focused === 'password',
  })}`;
}

/** The form that makes the first account. */
export function setupPage(form: NewAccountForm & { token: string }): string {
  return layout(
    'Welcome',
    html`<p>Make the first account. It is the administrator of this server.</p>
      ${summary(form.errors)}
      <form method="post" action="/setup">
        <input type="hidden" name="token" value="${form.token}" />
        ${newAccountFields(form)}
        <button type="submit">Create account</button>
      </form>`,
  );
}

const INVITED_AS = {
  admin: 'an administrator',
  user: 'a member',
  guest: 'a guest, to look around and listen',
} as const;

/** The form by which an invited person makes their account. */
export function invitePage(
  form: NewAccountForm & { action: string; role: keyof typeof INVITED_AS; invited_by: string | null },
): string {
  return layout(
    'You are invited',
    html`<p>
        ${form.invited_by !== null ? html`<strong>${form.invited_by}</strong> invites you` : 'You are invited'} to this
        server as ${INVITED_AS[form.role]}. Make your account.
      </p>
      ${summary(form.errors)}
      <form method="post" action="${form.action}">
        ${newAccountFields(form)}
        <button type="submit">Create account</button>
      </form>`,
  );
}

/** The form that sets a new password by a link. */
export function resetPage(form: { token: string; username: string; errors: FieldErrors }): string {
  return layout(
    'New password',
    html`<p>Choose a new password. Every device that is signed in as you is signed out.</p>
      ${summary(form.errors)}
      <form method="post" action="/reset">
        <input type="hidden" name="token" value="${form.token}" />
        ${fieldOf({
          id: 'username',
          label: 'Username',
          value: form.username,
          autocomplete: 'username',
          isLiteral: true,
          isReadonly: true,
          maxlength: 200,
        })}
        ${fieldOf({
          id: 'password',
          label: 'New password',
          type: 'password',
          autocomplete: 'new-password',
          maxlength: 400,
          hint: PASSWORD_HINT,
          errors: form.errors,
          isFocused: true,
        })}
        <button type="submit">Set password</button>
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

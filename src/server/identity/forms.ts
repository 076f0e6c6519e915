import express from 'express';
import { PROBLEMS } from '#contract/problems.ts';
import { DomainError } from '#domain/errors.ts';
import { isOwnRequest } from './origins.ts';
import { messagePage, sendPageTo } from './pages.ts';
import type { Request, RequestHandler, Response } from 'express';

const readForm = express.urlencoded({ extended: false, limit: '8kb', parameterLimit: 10 });

function posted(req: Request): Map<string, unknown> {
  const body: unknown = req.body;
  return new Map(typeof body === 'object' && body !== null ? Object.entries(body) : []);
}

/** A field of a posted form as text; a repeated or missing one is empty. */
export function field(req: Request, name: string): string {
  const value = posted(req).get(name);
  return typeof value === 'string' ? value : '';
}

/** Whether a posted form has the field, filled or not. */
export function hasField(req: Request, name: string): boolean {
  return posted(req).has(name);
}

/** A parameter of the address as text; a repeated or missing one is empty. */
export function queryOf(req: Request, name: string): string {
  const value = req.query[name];
  return typeof value === 'string' ? value : '';
}

interface OwnForms {
  publicUrl: string;
  isOwnOrigin(origin: string): boolean;
}

/** Reads a posted form; one that another site sent is refused before it is read. */
export function ownForm({ publicUrl, isOwnOrigin }: OwnForms): RequestHandler[] {
  return [
    (req, res, next) => {
      if (isOwnRequest(req, isOwnOrigin, 'http')) return next();
      sendPageTo(
        res,
        403,
        messagePage({
          title: 'Not from here',
          text: `This form was sent from another address. Open ${publicUrl} and sign in there.`,
          code: 'foreign_origin',
          action: { href: `${publicUrl}/api/v1/auth/login`, label: 'Sign in' },
        }),
      );
    },
    readForm,
  ];
}

/** What a refusal looks like in a form: its status, and its errors by field; those of the whole have an empty path. */
export function refusalOf(
  res: Response,
  error: unknown,
): { status: number; code: string; errors: { path: string; message: string }[] } {
  if (!(error instanceof DomainError)) throw error;
  if (error.retryAfter !== undefined) res.setHeader('retry-after', String(error.retryAfter));
  return {
    status: PROBLEMS[error.code].status,
    code: error.code,
    errors: error.errors.length > 0 ? error.errors : [{ path: '', message: error.message }],
  };
}

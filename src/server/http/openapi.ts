import { z } from 'zod';
import { PROBLEMS } from '#contract/problems.ts';
import { refusalsOf } from '#domain/authorize.ts';
import type { KnownOperation } from '#domain/authorize.ts';
import type { KnownDoor, KnownEndpoint } from './mount.ts';

type Json = Record<string, unknown>;

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _dialect, ...json } = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    target: 'draft-2020-12',
  });
  return json as Json;
}

/** Query and path parameters of an object schema, one by one. */
function parametersOf(schema: z.ZodType, where: 'path' | 'query'): Json[] {
  const { properties = {}, required = [] } = schemaOf(schema, 'input') as { properties?: Json; required?: string[] };
  return Object.entries(properties).map(([name, inner]) => ({
    name,
    in: where,
    required: where === 'path' || required.includes(name),
    schema: inner,
  }));
}

/** Who may call, as the access table has it. */
function accessOf(operation: KnownOperation): Json {
  const { access, scope } = operation;
  return {
    'x-access': access,
    ...(access === 'public' ? { security: [] } : { 'x-scope': scope, security: [{ session: [] }, { bearer: [] }] }),
  };
}

function refusals(operation: KnownOperation): Json {
  const { access, scope } = operation;
  const refused = refusalsOf(operation);
  const role = access === 'guest' ? '' : ` a role below ${access},`;
  const token = scope === 'never' ? 'an API token' : `an API token without the scope ${scope}`;
  const problem = (description: string) => ({ $ref: '#/components/responses/Problem', description });
  return {
    ...(refused.unknown ? { 401: problem('The caller is not known') } : {}),
    ...(refused.no
      ? { 403: problem(`Not allowed:${role} ${token}, or less of a right to this thing than it takes`) }
      : {}),
    ...(refused.hidden ? { 404: problem('Not there, or not for the caller to know of') } : {}),
    default: problem('A problem'),
  };
}

function operationOf(endpoint: KnownEndpoint): Json {
  const body = schemaOf(endpoint.body, 'input') as { properties?: Json };
  const hasBody = endpoint.method !== 'GET' && Object.keys(body.properties ?? {}).length > 0;
  const reply =
    endpoint.status === 204
      ? { description: 'Done' }
      : { description: 'Success', content: { 'application/json': { schema: schemaOf(endpoint.reply, 'output') } } };
  return {
    operationId: endpoint.name,
    summary: endpoint.summary,
    tags: [endpoint.path.split('/')[1]],
    ...accessOf(endpoint),
    parameters: [
      ...parametersOf(endpoint.params, 'path'),
      ...parametersOf(endpoint.query, 'query'),
      ...(endpoint.method === 'GET' ? [] : [IDEMPOTENCY_KEY]),
    ],
    ...(hasBody ? { requestBody: { required: true, content: { 'application/json': { schema: body } } } } : {}),
    responses: { [endpoint.status]: reply, ...refusals(endpoint) },
  };
}

const IDEMPOTENCY_KEY: Json = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description: 'The same key within 8 days is the same call: it is run once, and each gets the same answer.',
  schema: { type: 'string', minLength: 1, maxLength: 255 },
};

const FILE = { type: 'string', format: 'binary' };
const FORM = { type: 'object', required: ['file'], properties: { file: FILE } };

function contentOf(types: readonly string[]): Json {
  return Object.fromEntries(types.map((type) => [type, { schema: type === 'multipart/form-data' ? FORM : FILE }]));
}

function otherOperation(door: KnownDoor): Json {
  const { path, name, summary, query, body, responses } = door;
  const text = { type: 'string' };
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, param]) => ({
    name: param,
    in: 'path',
    required: true,
    schema: text,
  }));
  return {
    operationId: name,
    summary,
    tags: [path.split('/')[1]],
    ...accessOf(door),
    parameters: [...inPath, ...query.map((param) => ({ name: param, in: 'query', required: false, schema: text }))],
    ...(body === undefined ? {} : { requestBody: { required: true, content: contentOf(body) } }),
    responses: {
      ...Object.fromEntries(Object.entries(responses).map(([status, description]) => [status, { description }])),
      ...refusals(door),
    },
  };
}

/** The OpenAPI 3.1 document of these endpoints, made from the schemas the doors parse with. */
export function openApiOf(endpoints: readonly KnownEndpoint[], others: readonly KnownDoor[], publicUrl: string): Json {
  const paths: Record<string, Json> = {};
  for (const other of others) {
    paths[other.path] = { ...paths[other.path], [other.method.toLowerCase()]: otherOperation(other) };
  }
  for (const endpoint of endpoints) {
    paths[endpoint.path] = { ...paths[endpoint.path], [endpoint.method.toLowerCase()]: operationOf(endpoint) };
  }
  const problem = {
    type: 'object',
    required: ['type', 'title', 'status', 'detail', 'code'],
    properties: {
      type: { type: 'string' },
      title: { type: 'string' },
      status: { type: 'integer' },
      detail: { type: 'string' },
      code: { type: 'string', enum: Object.keys(PROBLEMS) },
      request_id: { type: 'string' },
      errors: {
        type: 'array',
        items: {
          type: 'object',
          required: ['path', 'message'],
          properties: { path: { type: 'string' }, message: { type: 'string' } },
        },
      },
    },
  };
  return {
    openapi: '3.1.0',
    info: { title: 'StepheyBot Music', version: '1', description: 'Errors are RFC 9457 problems.' },
    servers: [{ url: `${publicUrl}/api/v1` }],
    paths,
    components: {
      schemas: { Problem: problem },
      responses: {
        Problem: {
          description: 'A problem',
          content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
        },
      },
      securitySchemes: {
        session: { type: 'apiKey', in: 'cookie', name: 'sbm_session' },
        bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
      },
    },
  };
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

/** A page to read the same endpoints at; it needs no script. */
export function docsPage(endpoints: readonly KnownEndpoint[]): string {
  const sections = endpoints.map((endpoint) => {
    const operation = operationOf(endpoint);
    return `<details><summary><code>${endpoint.method} /api/v1${escapeHtml(endpoint.path)}</code> ${escapeHtml(endpoint.summary)} <small>(${endpoint.access})</small></summary><pre>${escapeHtml(JSON.stringify(operation, null, 2))}</pre></details>`;
  });
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>StepheyBot Music API</title></head><body><h1>StepheyBot Music API</h1><p>Machine-readable: <a href="/api/v1/openapi.json">openapi.json</a>.</p>${sections.join('\n')}</body></html>`;
}

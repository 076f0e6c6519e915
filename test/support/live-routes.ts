/** What a running server answers at, from the server itself: its own document and its own router. */
import type { RunningServer } from '#server/create-server.ts';

export interface LiveRoute {
  method: string;
  /** Below the server's address, `{param}` filled in. */
  path: string;
  /** As declared, `{param}` and all. */
  pattern: string;
}

interface Layer {
  route?: { path: string; stack: { method: string }[] };
}

const fill = (pattern: string): string =>
  pattern.replace(/\{\w+\}|:\w+/g, (place) => (place.includes('username') ? 'nobody-at-all' : 'a'.repeat(22)));

/** Every route of the REST door and of signing in. What the embedded provider serves below `/oidc` is not a route of ours. */
export async function liveRoutes(server: RunningServer): Promise<LiveRoute[]> {
  const document = (await (await fetch(`${server.url}/api/v1/openapi.json`)).json()) as {
    paths: Record<string, Record<string, unknown>>;
  };
  const documented = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => ({ method: method.toUpperCase(), pattern: `/api/v1${path}` })),
  );
  const ofIdentity = (server.identity.router as unknown as { stack: Layer[] }).stack.flatMap(({ route }) =>
    route === undefined
      ? []
      : [...new Set(route.stack.map(({ method }) => method))].map((method) => ({
          method: method.toUpperCase(),
          pattern: route.path,
        })),
  );
  const found = new Map<string, LiveRoute>();
  for (const { method, pattern } of [...documented, ...ofIdentity]) {
    found.set(`${method} ${pattern}`, { method, pattern, path: fill(pattern) });
  }
  return [...found.values()];
}

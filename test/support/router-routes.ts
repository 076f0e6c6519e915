/** Every route an Express application has, read from its routers and not from what was meant to be mounted. */
import type { Express } from 'express';

export interface RouterRoute {
  method: string;
  /** From the root, with `{param}` places. */
  path: string;
}

interface Layer {
  rawPath: string | RegExp | string[];
  handle: { stack?: Layer[] };
  route?: { path: string | string[]; methods: Record<string, boolean> };
}

const asList = <T>(value: T | T[]): T[] => (Array.isArray(value) ? value : [value]);

function walk(stack: readonly Layer[], prefix: string): RouterRoute[] {
  return stack.flatMap(({ rawPath, handle, route }) => {
    if (route !== undefined) {
      // `all` answers with a refusal, whatever the method.
      const methods = Object.keys(route.methods).filter((method) => method !== '_all');
      return asList(route.path).flatMap((path) =>
        methods.map((method) => ({
          method: method.toUpperCase(),
          path: (prefix + path).replace(/:(\w+)/g, '{$1}'),
        })),
      );
    }
    if (handle.stack === undefined) return [];
    return asList(rawPath).flatMap((path) => {
      if (typeof path !== 'string') throw new Error(`a router is mounted at ${String(path)}`);
      return walk(handle.stack!, prefix + path.replace(/\/$/, ''));
    });
  });
}

export function routerRoutes(app: Express): RouterRoute[] {
  return walk((app as unknown as { router: { stack: Layer[] } }).router.stack, '');
}

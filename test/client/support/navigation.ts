/** Kit's `goto`, as far as the client's modules use it outside of components: it remembers where it was sent. */
export const visited: string[] = [];

export function goto(address: string): Promise<void> {
  visited.push(address);
  return Promise.resolve();
}

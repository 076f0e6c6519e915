/** Waits for something, but not for ever; what takes longer goes on by itself, so it must not reject. */
export async function atMost(ms: number, something: Promise<void>): Promise<void> {
  const { promise: tooLong, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  try {
    await Promise.race([something, tooLong]);
  } finally {
    clearTimeout(timer);
  }
}

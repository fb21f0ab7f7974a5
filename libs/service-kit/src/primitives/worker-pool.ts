/**
 * Runs `work` for every item in their order, at most `concurrency` at a time; resolves when all have ended. When one rejects, it rejects with that
 * error at once, and the remaining items still run.
 */
export async function forEachConcurrently<T>(items: Iterable<T>, concurrency: number, work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items].values();
  const worker = async (): Promise<void> => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}

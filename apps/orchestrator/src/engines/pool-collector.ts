/**
 * What others ask of the loop that keeps the pool. The loop provides it; nobody imports the loop itself, so that the question stands here
 * with the engines it is about.
 */
export abstract class PoolCollector {
  /**
   * Lifts the floor of a manual scale and removes idle engines beyond the minimum at once, whatever their grace; never one that plays, is
   * leased or is kept back. @returns the ids of those that are gone
   */
  abstract collect(): Promise<string[]>;
}

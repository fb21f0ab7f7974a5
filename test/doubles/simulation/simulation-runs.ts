import type { Parameters } from 'fast-check';

const LIMIT_MS = 540_000;

/**
 * Number of simulated histories. SIMULATION_RUNS overrides it. A failing history is printed with its seed and path; SIMULATION_SEED and
 * SIMULATION_PATH replay it.
 */
export function simulationRuns<T>({ numRuns }: { numRuns: number }): Parameters<T> {
  const { SIMULATION_RUNS: runs, SIMULATION_SEED: seed, SIMULATION_PATH: path } = process.env;
  return {
    numRuns: runs ? Number(runs) : numRuns,
    // Shrinking a failing history stops at this limit and reports the smallest one so far.
    interruptAfterTimeLimit: LIMIT_MS,
    markInterruptAsFailure: true,
    ...(seed && { seed: Number(seed) }),
    ...(path && { path, endOnFailure: true }),
  };
}

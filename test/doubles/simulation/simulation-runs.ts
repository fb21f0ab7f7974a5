import type { Parameters } from 'fast-check';

const LIMIT_MS = 540_000;

/**
 * How many histories are tried. SIMULATION_RUNS asks for more; a failing one is printed with its seed and path, and SIMULATION_SEED and
 * SIMULATION_PATH replay it.
 */
export function simulationRuns<T>({ numRuns }: { numRuns: number }): Parameters<T> {
  const { SIMULATION_RUNS: runs, SIMULATION_SEED: seed, SIMULATION_PATH: path } = process.env;
  return {
    numRuns: runs ? Number(runs) : numRuns,
    // A failing history is shrunk for as long as that: what is known of it by then is told.
    interruptAfterTimeLimit: LIMIT_MS,
    markInterruptAsFailure: true,
    ...(seed && { seed: Number(seed) }),
    ...(path && { path, endOnFailure: true }),
  };
}

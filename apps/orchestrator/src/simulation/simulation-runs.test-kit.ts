import type { Parameters } from 'fast-check';

/**
 * How many histories are tried. SIMULATION_RUNS asks for more; a failing one is printed with its seed and path, and SIMULATION_SEED and
 * SIMULATION_PATH replay it.
 */
export function simulationRuns<T>({ numRuns }: { numRuns: number }): Parameters<T> {
  const { SIMULATION_RUNS: runs, SIMULATION_SEED: seed, SIMULATION_PATH: path } = process.env;
  return {
    numRuns: runs ? Number(runs) : numRuns,
    ...(seed && { seed: Number(seed) }),
    ...(path && { path, endOnFailure: true }),
  };
}

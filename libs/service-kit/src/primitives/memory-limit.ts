import { totalmem } from 'node:os';

/** Bytes of memory that this process may use: the limit of its control group (version 1 or 2), or the memory of the machine if that is less. */
export function memoryLimit(): number {
  return limitOf(process.constrainedMemory(), totalmem());
}

/** `constrained` is 0 if it is unknown, and larger than the machine if there is no limit. */
export function limitOf(constrained: number | undefined, machine: number): number {
  return constrained ? Math.min(constrained, machine) : machine;
}

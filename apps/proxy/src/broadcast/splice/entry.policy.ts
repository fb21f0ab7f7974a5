/** Where a stream is entered that does not continue the one before packet by packet. */
import { type RandomAccessKind, WRAP_90K, distance, wrapped } from '@acexy/mpegts';

export interface PossibleEntry {
  /** Ticks of 90 kHz, on the source's clock. */
  readonly dts: number;
  readonly kind: RandomAccessKind;
}

/** The last picture that viewers have, on the outgoing clock, and what is added to the source's clock to compare. Null: the clocks have nothing in common. */
export interface SameClock {
  readonly lastDts: number;
  readonly offset: number;
}

/**
 * The entry to take, or null where none is there yet. On the same clock the first one behind what viewers have had; on another the first at all.
 * Points where the picture has to heal are taken only while there is nothing better.
 */
export function chooseEntry<Entry extends PossibleEntry>(entries: readonly Entry[], clock: SameClock | null): Entry | null {
  const isNew = ({ dts }: Entry): boolean => clock === null || distance(clock.lastDts, wrapped(dts + clock.offset, WRAP_90K), WRAP_90K) > 0;
  const usable = entries.filter(isNew);
  return usable.find(({ kind }) => kind === 'clean') ?? usable.at(0) ?? null;
}

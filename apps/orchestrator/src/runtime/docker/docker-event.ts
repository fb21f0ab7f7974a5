/** Reads one line of Docker's event stream. Pure. */
import { isObject, parseObject, toText } from '@acexy/service-kit/primitives';
import type { RuntimeEvent } from '../engine-runtime.js';

/** By action of Docker; after any other action the engines are listed again. */
const EVENT_TYPES: ReadonlyMap<unknown, 'started' | 'died' | 'removed'> = new Map([
  ['start', 'started'],
  ['die', 'died'],
  ['destroy', 'removed'],
]);

/**
 * The container is named by `Actor.ID`, which every supported Docker Engine sends. Engine 29 (API 1.52) no longer sends `id`, `status` and `from`
 * beside it. After a line that names no container the engines are listed again, so that no change is missed.
 */
export function parseDockerEvent(line: string): RuntimeEvent {
  const event = parseObject(line);
  const type = EVENT_TYPES.get(event?.Action);
  const id = isObject(event?.Actor) ? toText(event.Actor.ID) : null;
  return type && id !== null ? { type, id } : { type: 'lost' };
}

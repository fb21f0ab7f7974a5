/** Reads one line of Docker's event stream. Pure. */
import { isObject, type JsonObject, parseObject, toText } from '@acexy/service-kit/primitives';
import { HOLDER_LABEL } from '../engine-labels.js';
import type { RuntimeEvent } from '../engine-runtime.js';

/** By action of Docker; after any other action the engines are listed again. */
const EVENT_TYPES: ReadonlyMap<unknown, 'started' | 'died' | 'removed'> = new Map([
  ['start', 'started'],
  ['die', 'died'],
  ['destroy', 'removed'],
]);

/**
 * The container is named by `Actor.ID`, which every supported Docker Engine sends. Engine 29 (API 1.52) no longer sends `id`, `status` and `from`
 * beside it. After any other line the engines are listed again, so that no change is missed.
 * @returns null for an engine that was created and has not started yet
 */
export function parseDockerEvent(line: string): RuntimeEvent | null {
  const event = parseObject(line);
  if (event === null) return { type: 'lost' };
  if (event.Action === 'create' && !isOfLease(event)) return null;
  const type = EVENT_TYPES.get(event.Action);
  const id = isObject(event.Actor) ? toText(event.Actor.ID) : null;
  return type && id !== null ? { type, id } : { type: 'changed' };
}

function isOfLease({ Actor: actor }: JsonObject): boolean {
  return isObject(actor) && isObject(actor.Attributes) && Object.hasOwn(actor.Attributes, HOLDER_LABEL);
}

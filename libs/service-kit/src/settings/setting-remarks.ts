/** What the operator should know about the settings, and what does not prevent the start. */
import type { Log } from '../logging/log.js';

export type SettingRemark =
  /** A name that no setting has, and the name that was probably meant. */
  | { kind: 'unknown'; name: string; nearest: string | null }
  /** A default that contradicted a value of the operator. */
  | { kind: 'default changed'; name: string; value: string; reason: string };

export function logSettingRemarks(remarks: readonly SettingRemark[], log: Log): void {
  for (const remark of remarks) {
    if (remark.kind === 'unknown') log.warn('unknown setting', { name: remark.name, did_you_mean: remark.nearest });
    else log.warn('default of a setting changed', { name: remark.name, value: remark.value, reason: remark.reason });
  }
}

/** Longer names are not compared: no setting has one. */
const MAX_NAME = 64;

/**
 * The names in the environment that look like settings of the service and are none. Most variables of an environment are foreign: a name must begin
 * with the prefix of the service, or differ from one of its settings by one or two letters.
 */
export function unknownSettings(
  names: readonly string[],
  known: readonly string[],
  prefix?: string,
  readByOthers: readonly string[] = [],
): SettingRemark[] {
  const knownNames = new Set([...known, ...readByOthers]);
  return names.flatMap((name): SettingRemark[] => {
    if (knownNames.has(name) || name.length > MAX_NAME) return [];
    const isOurs = prefix !== undefined && name.toUpperCase().startsWith(prefix);
    const nearest = nearestName(name.toUpperCase(), known, isOurs ? Math.floor(name.length / 3) : name.length < 8 ? 1 : 2);
    return isOurs || nearest !== null ? [{ kind: 'unknown', name, nearest }] : [];
  });
}

function nearestName(name: string, known: readonly string[], limit: number): string | null {
  let nearest: string | null = null;
  let least = limit + 1;
  for (const other of known) {
    if (Math.abs(other.length - name.length) >= least) continue;
    const edits = editDistance(name, other);
    if (edits < least) [nearest, least] = [other, edits];
  }
  return nearest;
}

/** Number of letters to insert, remove, replace, or exchange with their neighbor. */
function editDistance(from: string, to: string): number {
  let earlier: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const replaced = last[column - 1] + (from[row - 1] === to[column - 1] ? 0 : 1);
      let edits = Math.min(replaced, last[column] + 1, current[column - 1] + 1);
      const exchanged = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (exchanged) edits = Math.min(edits, earlier[column - 2] + 1);
      current.push(edits);
    }
    [earlier, last] = [last, current];
  }
  return last[to.length];
}

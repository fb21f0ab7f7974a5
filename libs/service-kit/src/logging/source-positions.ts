/**
 * Positions in our TypeScript for the stack of a logged error. Node does this too with --enable-source-maps, but then reads the source map of every
 * module at start, those of packages included: 12 MB and 0.3 s of processor time in the orchestrator. This reads the map of a file when it is logged.
 */
import { readFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { fileURLToPath } from 'node:url';
import { BoundedMap } from '../primitives/bounded-map.js';

const MAX_MAPS = 50;
/** By the URL of the compiled file; null if it has no map. */
const maps = new BoundedMap<string, SourceMap | null>(MAX_MAPS);

/** @returns the stack with the positions of our files in their sources; other lines are unchanged */
export function withSourcePositions(stack: string): string {
  return stack.split('\n').map(sourceLine).join('\n');
}

/** A line is `    at name (file:///…/dist/file.js:line:column)`, or the same without name and brackets. */
function sourceLine(line: string): string {
  const start = line.indexOf('file://');
  if (start < 0 || !line.startsWith('    at ') || !line.includes('/dist/') || line.includes('/node_modules/')) return line;
  const end = line.endsWith(')') ? line.length - 1 : line.length;
  const [column, row, ...rest] = line.slice(start, end).split(':').reverse();
  const url = rest.reverse().join(':');
  const origin = mapOf(url)?.findOrigin(Number(row), Number(column));
  if (!origin || !('fileName' in origin)) return line;
  const source = fileURLToPath(new URL(origin.fileName, url));
  return `${line.slice(0, start)}${source}:${origin.lineNumber}:${origin.columnNumber}${line.slice(end)}`;
}

function mapOf(url: string): SourceMap | null {
  const known = maps.get(url);
  if (known !== undefined) return known;
  const map = readMap(url);
  maps.set(url, map);
  return map;
}

function readMap(url: string): SourceMap | null {
  try {
    return new SourceMap(JSON.parse(readFileSync(`${fileURLToPath(url)}.map`, 'utf8')) as SourceMapPayload);
  } catch {
    return null; // the position in the compiled file is good enough
  }
}

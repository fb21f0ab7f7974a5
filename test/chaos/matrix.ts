/** Runs cells of the fault matrix and reports what the viewer got and how it differs from the expected result. */
import { setTimeout as sleep } from 'node:timers/promises';
import { differenceFromBroadcast } from '../support/broadcast-compare.js';
import { contentId } from '../support/pair.js';
import { ViewerStreamChecker, type ViewerStreamReport } from '../support/viewer-stream-checker.js';
import { until } from '../support/until.js';
import { Viewer } from '../support/viewer.js';
import { FAULT_MATRIX, type Fault, type Outcome, PHASES, type Phase, type Row } from './fault-matrix.js';
import { BITRATE, BURST_S, ENGINE_NAMES, type EngineName, EngineTrio } from '../support/engine-trio.js';

export interface Cell {
  readonly row: Row;
  readonly phase: Phase;
}

export interface CellResult extends Cell {
  /** Description of what the viewer got. */
  readonly outcome: string;
  /** Longest time without a byte, seconds. */
  readonly silence: number;
  /** Differences from the expected result. */
  readonly problems: readonly string[];
}

export const ALL_CELLS: readonly Cell[] = FAULT_MATRIX.flatMap((row) => PHASES.map((phase) => ({ row, phase })));

/** After this time the viewer is at the live edge. */
const LIVE_BYTES = (BURST_S * BITRATE) / 8 + 100_000;
/** Slow faults, for example starving, are only detected after this time. */
const CHANGE_LIMIT_MS = 40_000;
/** Longer than the stall timeout, so that nothing is pending afterwards. */
const SETTLE_MS = 2500;
const RELEASE_LIMIT_MS = 8000;

/** Runs the cells, `lanes` at a time, each with its own engines and proxy. Calls `onResult` after each cell. */
export async function runMatrix(cells: readonly Cell[], lanes: number, onResult: (result: CellResult) => void): Promise<void> {
  const left = cells.map((cell, index) => ({ cell, index }));
  const lane = async (): Promise<void> => {
    const trio = await EngineTrio.open();
    try {
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        onResult(await runCell(trio, next.cell, contentId(0x1000 + next.index)));
      }
    } finally {
      await trio.close();
    }
  };
  // Each lane stops what it started, also if another lane failed.
  const ended = await Promise.allSettled(Array.from({ length: Math.min(lanes, cells.length) }, lane));
  for (const end of ended) if (end.status === 'rejected') throw end.reason;
}

async function runCell(trio: EngineTrio, cell: Cell, id: string): Promise<CellResult> {
  const { row, phase } = cell;
  const expected = row.expect[phase];
  const checker = new ViewerStreamChecker({ fromJoin: true });
  const actions: Promise<void>[] = [];
  let viewer: Viewer | null = null;
  const problems: string[] = [];
  try {
    const open = async (): Promise<Viewer> => Viewer.open(trio.streamUrl(id), { onChunk: (chunk) => checker.push(chunk) });
    if (phase === 'before') {
      actions.push(...(await inflict(trio, 'A', row.inflict)));
      viewer = await open();
    } else {
      viewer = await open();
      await viewer.untilBytes(LIVE_BYTES);
      actions.push(...(await inflict(trio, phase === 'mid' ? 'A' : 'B', row.inflict)));
      if (phase === 'during') await trio.engine('A').end('superseded');
    }
    if (viewer.status !== 200) throw new Error(`status ${viewer.status}: ${await viewer.text()}`);
    await settle(trio, id, cell, viewer);
  } catch (error) {
    problems.push(`${(error as Error).message}; stream: ${JSON.stringify(await trio.serving(id))}`);
  }
  await viewer?.leave();
  await Promise.all(actions);
  const verdict = checker.verdict();
  const body = viewer?.body ?? Buffer.alloc(0);
  const content = contentOf(verdict);
  const difference = differenceFromBroadcast(body.subarray(0, body.length - (body.length % 188)), id, BITRATE);
  problems.push(...judgeContent(expected, verdict, content, difference));
  problems.push(...(await leaks(trio, cell)));
  await trio.reset();
  const by = problems.length === 0 ? expected.by : 'not as expected';
  return {
    ...cell,
    outcome: `${by}: ${difference === null ? 'exact' : describeContent(content, verdict)}`,
    silence: verdict.longestSilence,
    problems,
  };
}

/** Waits until the expected engine plays the stream, and checks that it still does after more bytes. */
async function settle(trio: EngineTrio, id: string, { row, phase }: Cell, viewer: Viewer): Promise<void> {
  const { by } = row.expect[phase];
  const faulty: EngineName = phase === 'during' ? 'B' : 'A';
  const serves = async (): Promise<boolean> => {
    const serving = await trio.serving(id);
    if (serving === null || serving.state !== 'playing' || (phase === 'during' && serving.failovers === 0)) return false;
    // A working engine may be chosen for other reasons too. A failing one must not be kept.
    return by === 'another' ? serving.on !== faulty : phase === 'during' || serving.on === faulty;
  };
  await until(`the stream played by ${by}`, serves, CHANGE_LIMIT_MS);
  await sleep(SETTLE_MS);
  const bytes = viewer.bytes;
  await viewer.untilBytes(bytes + BITRATE / 8);
  if (!(await serves())) throw new Error(`the stream did not stay with ${by}`);
}

/** Resolves when the fault is in force. The returned promises are the actions that follow. */
async function inflict(trio: EngineTrio, name: EngineName, fault: Fault): Promise<Promise<void>[]> {
  const engine = trio.engine(name);
  if ('settings' in fault) {
    await engine.faults(fault.settings);
    return [];
  }
  switch (fault.act) {
    case 'killed':
      await trio.kill(name);
      return [];
    case 'restarts':
      await engine.restart();
      return [];
    case 'drained':
      trio.orchestrator.leave.add(name);
      return [];
    case 'ends':
    case 'forgets': {
      const how = fault.act === 'ends' ? 'superseded' : 'lost';
      return [
        until(`a session on ${name}`, async () => (await engine.metrics()).sessions.active > 0, CHANGE_LIMIT_MS).then(() =>
          engine.end(how),
        ),
      ];
    }
    default: {
      const unknown: never = fault.act;
      throw new TypeError(`no such action: ${String(unknown)}`);
    }
  }
}

interface Content {
  readonly lost: number;
  readonly repeated: number;
}

/** Lost and repeated seconds, counted by markers. */
function contentOf({ breaks }: ViewerStreamReport): Content {
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + Math.max(0, value), 0) / 10;
  return { lost: sum(breaks.map(({ from, to }) => to - from - 1)), repeated: sum(breaks.map(({ from, to }) => from - to + 1)) };
}

function judgeContent(
  expected: Outcome,
  { ts, earlyNullPackets }: ViewerStreamReport,
  { lost, repeated }: Content,
  difference: string | null,
): string[] {
  const problems = [...earlyNullPackets];
  const { lost: mayLose = 0, repeated: mayRepeat = 0, damaged = false } = expected;
  if (lost > mayLose) problems.push(`${lost} s lost, at most ${mayLose} expected`);
  if (repeated > mayRepeat) problems.push(`${repeated} s repeated, at most ${mayRepeat} expected`);
  if (!damaged)
    problems.push(...ts.faults.slice(0, 5).map(({ rule, packet, pid, detail }) => `${rule} at packet ${packet}, PID ${pid}: ${detail}`));
  if (!damaged && mayLose === 0 && mayRepeat === 0 && difference !== null) problems.push(difference);
  return problems;
}

function describeContent({ lost, repeated }: Content, { ts }: ViewerStreamReport): string {
  const parts = [
    lost > 0 ? `${lost} s lost` : '',
    repeated > 0 ? `${repeated} s repeated` : '',
    ts.faults.length > 0 ? `${ts.faults.length} violations of the standard passed on` : '',
  ].filter((part) => part !== '');
  return parts.length === 0 ? 'nothing lost' : parts.join(', ');
}

/** Sessions that still exist some time after the viewer left. */
async function leaks(trio: EngineTrio, { row, phase }: Cell): Promise<string[]> {
  const faulty = phase === 'during' ? 'B' : 'A';
  const counted = ENGINE_NAMES.filter((name) => row.unreachable === undefined || name !== faulty);
  try {
    await until(
      'sessions stopped',
      async () => {
        const sessions = await trio.sessions();
        return counted.every((name) => sessions[name] === 0);
      },
      RELEASE_LIMIT_MS,
    );
    return [];
  } catch {
    return [`sessions left behind: ${JSON.stringify(await trio.sessions())}`];
  }
}

import { spawn, spawnSync } from 'node:child_process';

/** Debian's package `ffmpeg`; a machine without it skips the tests that need a foreign decoder. */
export const HAS_FFMPEG = spawnSync('ffmpeg', ['-version']).status === 0;
if (!HAS_FFMPEG) console.warn('SKIPPED: ffmpeg is not installed, so nothing here is decoded by a foreign player');

export interface ToolResult {
  code: number | null;
  output: string;
}

/** Runs ffmpeg or another tool to its end; `input` goes to its standard input. */
export function runTool(
  command: string,
  args: readonly string[],
  { input, limitMs = 80_000 }: { input?: Buffer; limitMs?: number } = {},
): Promise<ToolResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: [input ? 'pipe' : 'ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text: string) => (output += text));
    const limit = setTimeout(() => child.kill('SIGKILL'), limitMs);
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(limit);
      resolve({ code, output });
    });
    // A tool that has seen enough closes its input early; that is its exit code's business.
    child.stdin?.on('error', () => undefined).end(input);
  });
}

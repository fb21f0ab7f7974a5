import { spawn, spawnSync } from 'node:child_process';

/** Debian package `ffmpeg`. Without it, tests that need an independent decoder are skipped. */
export const HAS_FFMPEG = spawnSync('ffmpeg', ['-version']).status === 0;
if (!HAS_FFMPEG) console.warn('SKIPPED: ffmpeg is not installed, so tests that decode with ffmpeg are skipped');

export interface ToolResult {
  code: number | null;
  output: string;
}

/** Runs ffmpeg or another tool until it exits; `input` is its standard input. */
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
    // A tool may close its input early. Its exit code shows whether that is an error.
    child.stdin?.on('error', () => undefined).end(input);
  });
}

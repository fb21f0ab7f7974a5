import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Programs that scripts for operators may use in addition to docker: those of every Debian, curl and jq. */
const TOOLS = [
  ...[
    'awk',
    'basename',
    'bash',
    'cat',
    'curl',
    'date',
    'df',
    'dirname',
    'env',
    'expr',
    'free',
    'grep',
    'gzip',
    'head',
    'jq',
    'mkdir',
    'mktemp',
  ],
  ...['nproc', 'printf', 'rm', 'sed', 'sh', 'sleep', 'sort', 'tail', 'tar', 'timeout', 'tr', 'uname', 'wc'],
];

/** A PATH with only the usual tools and fake commands that record how they were called. */
export class FakeCommands {
  readonly folder = mkdtempSync(join(tmpdir(), 'fake-commands-'));
  private readonly record = join(this.folder, 'calls');

  constructor() {
    for (const tool of TOOLS)
      symlinkSync(execFileSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).trim(), join(this.folder, tool));
  }

  /** `answers` is the body of a shell `case "$*" in … esac`. Other calls succeed without output. */
  add(program: string, answers: string): this {
    const file = join(this.folder, program);
    writeFileSync(file, `#!/bin/sh\necho "${program} $*" >>'${this.record}'\ncase "$*" in\n${answers}\nesac\n`);
    chmodSync(file, 0o755);
    return this;
  }

  /** The calls so far, without calls that only read. */
  get calls(): string[] {
    const all = existsSync(this.record) ? readFileSync(this.record, 'utf8').trim().split('\n') : [];
    return all.filter((call) => !/ (version|config --services|ps -q (-a )?\S+|inspect .*)$/.test(call));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

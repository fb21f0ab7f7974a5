/**
 * Foreign players that watch a stream as their users do: ffmpeg, mpv, VLC and GStreamer, each without a screen. What they complain about and how long
 * their picture stands still is read from what they say.
 */
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

export const PLAYERS = ['ffmpeg', 'mpv', 'vlc', 'gstreamer'] as const;
export type PlayerName = (typeof PLAYERS)[number];

/** How the stream is watched. */
export type Form = 'ts' | 'hls';

interface PlayerKind {
  readonly command: string;
  readonly args: (url: string, form: Form) => readonly string[];
  /** What it says about the place it plays; the first group, and the second where there is one, are seconds: `(?:hours:)minutes:seconds`, or plain. */
  readonly position: RegExp;
  /** Typed every second, to be told the position. */
  readonly ask?: string;
  /** How it is told to end; then its exit code is 0. */
  readonly quit: string | 'SIGINT';
  /** Typed to pause it, and again to go on. */
  readonly pause?: string;
  /** Lines that say nothing about the stream. */
  readonly harmless: RegExp;
  /** Lines that tell of a pause or of a short step in time: true after a loss, and the player deals with it. */
  readonly remark?: RegExp;
  /** Refuses to run as root. */
  readonly ordinaryUser: boolean;
  /** Environment of its own. */
  readonly env?: Readonly<Record<string, string>>;
}

const KINDS: Readonly<Record<PlayerName, PlayerKind>> = {
  ffmpeg: {
    command: 'ffmpeg',
    args: (url) => ['-hide_banner', '-nostats', '-loglevel', 'level+warning', '-progress', 'pipe:1', '-i', url, '-f', 'null', '-'],
    position: /^out_time=(?:(\d+):(\d+):)?(\d+\.\d+)$/,
    quit: 'q',
    harmless: /^[a-z_0-9]+=/,
    ordinaryUser: false,
  },
  mpv: {
    command: 'mpv',
    args: (url) => [
      ...['--no-config', '--vo=null', '--ao=null', '--no-input-terminal', '--msg-level=all=warn,statusline=status'],
      ...['--term-status-msg=pos=${=time-pos}', url],
    ],
    position: /pos=(\d+\.\d+)/,
    quit: 'SIGINT',
    harmless: /pos=[\d.]*/,
    remark:
      /Audio device underrun|Invalid audio PTS|Audio\/Video desynchronisation|^hardware, temporary CPU spikes|^position will not match/,
    ordinaryUser: false,
  },
  vlc: {
    command: 'vlc',
    args: (url) => [
      ...['-I', 'oldrc', '--rc-fake-tty', '--no-color', '--no-dbus', '--vout', 'vdummy', '--aout', 'adummy', '--no-video-title-show'],
      ...['--verbose', '1', url],
    ],
    ask: 'get_time\n',
    pause: 'pause\n',
    position: /^(?:> )*(\d+)$/,
    quit: 'quit\n',
    // The interfaces that a desktop has; how it introduces itself and answers; the sound decoder's first unit.
    harmless:
      /^(?:> )*\d*$|^VLC media player|^Command Line Interface|^Remote control interface|interface (?:error|initialization)|interface "[a-z]+,none" initialization|packetizer: AAC channels|Changing stream format Unknown -> TS|decoded zero sample|returned 0 \(no error\)|status change|^\||^\+|^(?:> )*(?:Shutting down|Bye-bye)/,
    // After a pause it sets its clock anew, and has pictures in hand that are older.
    remark:
      /picture is too late|PCR {2}is called too late|playback too late|buffer too late|deferring start|buffer deadlock prevented|late frames, dropping|late video -> dropping|Timestamp conversion failed|Could not convert timestamp/,
    ordinaryUser: true,
  },
  gstreamer: {
    command: 'gst-launch-1.0',
    args: (url, form) => [
      ...['-e', 'souphttpsrc', `location=${url}`, '!', ...(form === 'hls' ? ['hlsdemux', '!'] : []), 'tsdemux', 'name=d'],
      ...['d.', '!', 'queue', '!', 'h264parse', '!', 'avdec_h264', '!', 'progressreport', 'update-freq=1', '!', 'fakesink', 'sync=true'],
      ...['d.', '!', 'queue', '!', 'aacparse', '!', 'avdec_aac', '!', 'fakesink', 'sync=true'],
    ],
    position: /^progressreport0 \([\d:]+\): (\d+) seconds/,
    quit: 'SIGINT',
    harmless:
      /^(?:progressreport0|Setting pipeline|Pipeline is|Got context|Redistribute latency|New clock|handling interrupt|Interrupt|EOS on|Waiting for EOS|Got EOS|EOS received|Execution ended|Freeing pipeline|Use Windows)/,
    remark: /A lot of buffers are being dropped|There may be a timestamping problem, or this computer is too slow/,
    ordinaryUser: false,
    env: { GST_DEBUG: '1', GST_DEBUG_NO_COLOR: '1' },
  },
};

/** What a player that did not end after it was told to is given, ms. */
const QUIT_MS = 10_000;
/** Debian's `nobody`. */
const ORDINARY_USER = 65_534;
const MOST_COMPLAINTS = 200;

/** Players that are installed here; of the others it says that they are skipped. */
export function installedPlayers(): PlayerName[] {
  const missing = PLAYERS.filter((name) => spawnSync('sh', ['-c', `command -v ${KINDS[name].command}`]).status !== 0);
  if (missing.length > 0) console.warn(`SKIPPED: ${missing.join(', ')} not installed, so nothing is watched with it`);
  return PLAYERS.filter((name) => !missing.includes(name));
}

export interface PlayerReport {
  readonly player: PlayerName;
  readonly form: Form;
  /** Time from its start to its end, seconds. */
  readonly watched: number;
  /** From its start to the first position, seconds; null: it never played. */
  readonly startedAfter: number | null;
  /** How far it has played, seconds of media. */
  readonly played: number;
  /** The longest time for which its position stood still, seconds. */
  readonly longestHold: number;
  /** What it said that is not harmless, with the second in which it did. */
  readonly complaints: readonly string[];
  /** How often it told of a pause or a step in time. */
  readonly remarks: number;
  /** It ran until it was told to end, and ended well. */
  readonly endedWell: boolean;
}

export class Player {
  /** Resolves when the process is gone. */
  readonly exited: Promise<void>;
  private readonly kind: PlayerKind;
  private readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  private readonly home = mkdtempSync(join(tmpdir(), 'player-'));
  private readonly began = performance.now();
  private readonly complaints: string[] = [];
  private readonly asking: NodeJS.Timeout | undefined;
  private first: { at: number; position: number } | null = null;
  private position = 0;
  private movedAt = 0;
  private longestHold = 0;
  private remarks = 0;
  private told = false;
  private outcome: string | null = null;

  constructor(
    readonly name: PlayerName,
    url: string,
    readonly form: Form = 'ts',
  ) {
    this.kind = KINDS[name];
    chmodSync(this.home, 0o777);
    const user = this.kind.ordinaryUser && process.getuid?.() === 0 ? { uid: ORDINARY_USER, gid: ORDINARY_USER } : {};
    this.child = spawn(this.kind.command, this.kind.args(url, form), {
      env: { PATH: process.env.PATH ?? '', HOME: this.home, XDG_RUNTIME_DIR: this.home, LC_ALL: 'C.UTF-8', ...this.kind.env },
      stdio: ['pipe', 'pipe', 'pipe'],
      ...user,
    });
    // A player that is gone reads nothing more; its exit tells it.
    this.child.stdin.on('error', () => undefined);
    for (const stream of [this.child.stdout, this.child.stderr]) this.readLines(stream);
    this.exited = new Promise((resolve) => {
      this.child.once('error', (error) => this.ended(error.message, resolve));
      this.child.once('close', (code, signal) => this.ended(code === 0 ? 'well' : `${signal ?? `code ${code}`}`, resolve));
    });
    const { ask } = this.kind;
    if (ask !== undefined) this.asking = setInterval(() => this.child.stdin.write(ask), 1000);
  }

  /** Pauses it, or lets it go on. */
  togglePause(): void {
    const { pause } = this.kind;
    if (pause === undefined) throw new TypeError(`${this.name} cannot be told to pause`);
    this.child.stdin.write(pause);
  }

  /** Tells it to end, and waits until it has. */
  async quit(): Promise<PlayerReport> {
    const { quit } = this.kind;
    if (this.outcome !== null) this.complaints.push(`${this.seconds().toFixed(1)} s: ended by itself: ${this.outcome}`);
    this.hold();
    const report = { ...this.report(), endedWell: this.outcome === null };
    this.told = true;
    if (quit === 'SIGINT') this.child.kill('SIGINT');
    else this.child.stdin.end(quit);
    const limit = setTimeout(() => this.child.kill('SIGKILL'), QUIT_MS);
    await this.exited;
    clearTimeout(limit);
    rmSync(this.home, { recursive: true, force: true, maxRetries: 5 });
    return report;
  }

  report(): PlayerReport {
    return {
      player: this.name,
      form: this.form,
      watched: this.seconds(),
      startedAfter: this.first?.at ?? null,
      played: this.first === null ? 0 : this.position - this.first.position,
      longestHold: this.longestHold,
      complaints: [...this.complaints],
      remarks: this.remarks,
      endedWell: this.outcome === null,
    };
  }

  private ended(outcome: string, resolve: () => void): void {
    clearInterval(this.asking);
    this.outcome ??= outcome;
    resolve();
  }

  private seconds(): number {
    return (performance.now() - this.began) / 1000;
  }

  private readLines(stream: Readable): void {
    let rest = '';
    stream.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split(/[\r\n]+/);
      rest = lines.pop() ?? '';
      for (const line of lines) this.take(line);
    });
  }

  private take(line: string): void {
    if (this.told || line.trim() === '') return;
    const found = this.kind.position.exec(line);
    if (found !== null) this.moveTo(secondsOf(found.slice(1)));
    else if (this.kind.remark?.test(line) === true) this.remarks += 1;
    else if (!this.kind.harmless.test(line) && this.complaints.length < MOST_COMPLAINTS)
      this.complaints.push(`${this.seconds().toFixed(1)} s: ${line}`);
  }

  private moveTo(position: number): void {
    const now = this.seconds();
    if (this.first === null) {
      if (position === 0) return;
      this.first = { at: now, position };
      this.movedAt = now;
    }
    if (position === this.position) return;
    this.hold();
    this.position = position;
    this.movedAt = now;
  }

  private hold(): void {
    if (this.first !== null) this.longestHold = Math.max(this.longestHold, this.seconds() - this.movedAt);
  }
}

/** `[hours, minutes, seconds]` or `[seconds]`, as seconds. */
function secondsOf(parts: readonly (string | undefined)[]): number {
  return parts.reduce((sum, part) => sum * 60 + Number(part ?? 0), 0);
}

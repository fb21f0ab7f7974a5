/**
 * Real players that watch a stream: ffmpeg, mpv, VLC and GStreamer, each without a screen. Their output shows errors, and how long playback
 * freezes.
 */
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

export const PLAYERS = ['ffmpeg', 'mpv', 'vlc', 'gstreamer'] as const;
export type PlayerName = (typeof PLAYERS)[number];

/** Form in which the stream is watched. */
export type Form = 'ts' | 'hls';

interface PlayerKind {
  readonly command: string;
  readonly args: (url: string, form: Form) => readonly string[];
  /** Matches output with the position. Its groups are hours, minutes and seconds, or only seconds. */
  readonly position: RegExp;
  /** Input that requests the position, sent every second. */
  readonly positionRequest?: string;
  /** How to make it exit with code 0. */
  readonly quit: string | 'SIGINT';
  /** Input that pauses it, and resumes it when sent again. */
  readonly pause?: string;
  /** Output that does not concern the stream. */
  readonly harmless: RegExp;
  /** Output about a pause or a small time step. Both happen after a failover, and the player handles them. */
  readonly remark?: RegExp;
  /** The player refuses to run as root. */
  readonly ordinaryUser: boolean;
  /** Extra environment variables. */
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
    positionRequest: 'get_time\n',
    pause: 'pause\n',
    position: /^(?:> )*(\d+)$/,
    quit: 'quit\n',
    // Missing desktop interfaces; its greeting and replies; the first unit of the audio decoder.
    harmless:
      /^(?:> )*\d*$|^VLC media player|^Command Line Interface|^Remote control interface|interface (?:error|initialization)|interface "[a-z]+,none" initialization|packetizer: AAC channels|Changing stream format Unknown -> TS|decoded zero sample|returned 0 \(no error\)|status change|^\||^\+|^(?:> )*(?:Shutting down|Bye-bye)/,
    // After a pause it resets its clock and still has older pictures.
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

/** Time that a player has to exit, ms. Then it is killed. */
const QUIT_MS = 10_000;
/** User `nobody` of Debian. */
const ORDINARY_USER = 65_534;
const MAX_COMPLAINTS = 200;

/** The players that are installed. Prints which others are skipped. */
export function installedPlayers(): PlayerName[] {
  const missing = PLAYERS.filter((name) => spawnSync('sh', ['-c', `command -v ${KINDS[name].command}`]).status !== 0);
  if (missing.length > 0) console.warn(`SKIPPED: ${missing.join(', ')} not installed, so no test uses them`);
  return PLAYERS.filter((name) => !missing.includes(name));
}

export interface PlayerReport {
  readonly player: PlayerName;
  readonly form: Form;
  /** Seconds from start to exit. */
  readonly watched: number;
  /** Seconds from start to the first position; null if it never played. */
  readonly startedAfter: number | null;
  /** Seconds of media that it played. */
  readonly played: number;
  /** Longest time without a change of position, seconds. */
  readonly longestFreeze: number;
  /** Output that is neither harmless nor a remark, with its time in seconds. */
  readonly complaints: readonly string[];
  /** Number of messages about a pause or a time step. */
  readonly remarks: number;
  /** It ran until `quit` and exited with success. */
  readonly endedWell: boolean;
}

export class Player {
  /** Resolves when the process has exited. */
  readonly exited: Promise<void>;
  private readonly kind: PlayerKind;
  private readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  private readonly home = mkdtempSync(join(tmpdir(), 'player-'));
  private readonly startedAt = performance.now();
  private readonly complaints: string[] = [];
  private readonly positionTimer: NodeJS.Timeout | undefined;
  private first: { at: number; position: number } | null = null;
  private position = 0;
  private movedAt = 0;
  private longestFreeze = 0;
  private remarks = 0;
  private quitting = false;
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
    // A player that has exited reads no input. Its exit is handled elsewhere.
    this.child.stdin.on('error', () => undefined);
    for (const stream of [this.child.stdout, this.child.stderr]) this.readLines(stream);
    this.exited = new Promise((resolve) => {
      this.child.once('error', (error) => this.ended(error.message, resolve));
      this.child.once('close', (code, signal) => this.ended(code === 0 ? 'well' : `${signal ?? `code ${code}`}`, resolve));
    });
    const { positionRequest } = this.kind;
    if (positionRequest !== undefined) this.positionTimer = setInterval(() => this.child.stdin.write(positionRequest), 1000);
  }

  /** Pauses or resumes it. */
  togglePause(): void {
    const { pause } = this.kind;
    if (pause === undefined) throw new TypeError(`${this.name} has no command for a pause`);
    this.child.stdin.write(pause);
  }

  /** Makes it exit and waits for that. */
  async quit(): Promise<PlayerReport> {
    const { quit } = this.kind;
    if (this.outcome !== null) this.complaints.push(`${this.seconds().toFixed(1)} s: exited early: ${this.outcome}`);
    this.noteFreeze();
    const report = { ...this.report(), endedWell: this.outcome === null };
    this.quitting = true;
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
      longestFreeze: this.longestFreeze,
      complaints: [...this.complaints],
      remarks: this.remarks,
      endedWell: this.outcome === null,
    };
  }

  private ended(outcome: string, resolve: () => void): void {
    clearInterval(this.positionTimer);
    this.outcome ??= outcome;
    resolve();
  }

  private seconds(): number {
    return (performance.now() - this.startedAt) / 1000;
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
    if (this.quitting || line.trim() === '') return;
    const found = this.kind.position.exec(line);
    if (found !== null) this.moveTo(secondsOf(found.slice(1)));
    else if (this.kind.remark?.test(line) === true) this.remarks += 1;
    else if (!this.kind.harmless.test(line) && this.complaints.length < MAX_COMPLAINTS)
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
    this.noteFreeze();
    this.position = position;
    this.movedAt = now;
  }

  private noteFreeze(): void {
    if (this.first !== null) this.longestFreeze = Math.max(this.longestFreeze, this.seconds() - this.movedAt);
  }
}

/** `[hours, minutes, seconds]` or `[seconds]` in seconds. */
function secondsOf(parts: readonly (string | undefined)[]): number {
  return parts.reduce((sum, part) => sum * 60 + Number(part ?? 0), 0);
}

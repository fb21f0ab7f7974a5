import { setTimeout as sleep } from 'node:timers/promises';
import type { HlsChecker, ListedSegment } from './hls-checker.js';

/** A minimal HLS player: it follows the master playlist, reloads its media playlist and fetches new segments. */
export class HlsPlayer {
  readonly fetched: { listed: ListedSegment; bytes: Buffer }[] = [];

  private constructor(readonly playlistUrl: string) {}

  static async open(url: string): Promise<HlsPlayer> {
    const response = await fetch(url);
    const text = await response.text();
    const line = text.split('\n').find((candidate) => candidate !== '' && !candidate.startsWith('#'));
    if (!response.ok || line === undefined) throw new Error(`${url}: ${response.status} ${text}`);
    return new HlsPlayer(new URL(line, url).href);
  }

  /** Plays until `checker` has seen this many segments. */
  async playUntil(checker: HlsChecker, segments: number, limitMs = 60_000): Promise<void> {
    const end = performance.now() + limitMs;
    while (checker.segments < segments) {
      if (performance.now() > end) throw new Error(`${checker.segments} of ${segments} segments within ${limitMs} ms`);
      await this.reload(checker);
      await sleep(500);
    }
  }

  private async reload(checker: HlsChecker): Promise<void> {
    const response = await fetch(this.playlistUrl);
    if (!response.ok) throw new Error(`playlist: ${response.status} ${await response.text()}`);
    for (const listed of checker.playlist(await response.text())) {
      const segment = await fetch(new URL(listed.uri, this.playlistUrl));
      if (!segment.ok) throw new Error(`segment ${listed.sequence}: ${segment.status}`);
      const bytes = Buffer.from(await segment.arrayBuffer());
      checker.segment(listed, bytes);
      this.fetched.push({ listed, bytes });
    }
  }
}

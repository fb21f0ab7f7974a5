import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { createServer as createHttpServer, type Server } from 'node:http';
import { type Browser, type Page, chromium } from 'playwright-core';

/** Debian package `chromium`. Without it, tests that need a browser are skipped. */
const CHROMIUM = ['chromium', 'chromium-browser', 'google-chrome'].find((name) => spawnSync(name, ['--version']).status === 0);
export const HAS_BROWSER = CHROMIUM !== undefined;
/** From this version on Chromium plays HLS without a script. */
const FIRST_WITH_HLS = 142;
const version = /\d+/.exec(CHROMIUM === undefined ? '' : spawnSync(CHROMIUM, ['--version']).stdout.toString())?.[0];
export const BROWSER_PLAYS_HLS = Number(version ?? 0) >= FIRST_WITH_HLS;
if (!HAS_BROWSER) console.warn('SKIPPED: chromium is not installed, so no browser plays HLS here');
else if (!BROWSER_PLAYS_HLS) console.warn(`SKIPPED: chromium ${version} plays HLS only with a script`);

/** State of the player in the page. */
export interface PlayerState {
  seconds: number;
  frames: number;
  dropped: number;
  paused: boolean;
  /** Errors that end the playback. */
  fatal: string[];
  errors: string[];
  /** Longest time without a new picture and without data for it since playback started, in ms. A slow decoder on a busy machine has data. */
  longestFreezeMs: number;
}

const HLS_JS = readFileSync(createRequire(import.meta.url).resolve('hls.js/dist/hls.min.js'), 'utf8');

/** How the page plays: with hls.js, or as `<video src>` without `crossorigin`, which Chromium does from version 142 on. */
export type PlaysWith = 'hls.js' | 'video';

/** A web page with a player, served from another origin than the stream. */
const PAGE = `<!doctype html><video id="video" muted></video><script src="/hls.js"></script><script>
  const video = document.getElementById('video');
  const state = { fatal: [], errors: [], longestFreezeMs: 0 };
  let moved = 0, last = 0;
  const hasData = () => [...Array(video.buffered.length).keys()].some((at) =>
    video.buffered.start(at) <= video.currentTime && video.buffered.end(at) > video.currentTime + 0.2);
  setInterval(() => {
    if (video.paused) moved = 0;
    else if (video.currentTime !== last || (moved && hasData())) { last = video.currentTime; moved = performance.now(); }
    else if (moved) state.longestFreezeMs = Math.max(state.longestFreezeMs, performance.now() - moved);
  }, 50);
  const asked = new URLSearchParams(location.search);
  if (asked.get('with') === 'video') {
    video.onerror = () => state.fatal.push(video.error.message);
    video.src = asked.get('src');
    video.play().catch((error) => state.errors.push(error.message));
  } else {
    const hls = new Hls();
    hls.on(Hls.Events.ERROR, (_event, { fatal, details }) => (fatal ? state.fatal : state.errors).push(details));
    hls.loadSource(asked.get('src'));
    hls.attachMedia(video);
    hls.on(Hls.Events.MANIFEST_PARSED, () => video.play());
  }
  window.player = { video, state: () => ({ ...state, seconds: video.currentTime, paused: video.paused,
    frames: video.getVideoPlaybackQuality().totalVideoFrames, dropped: video.getVideoPlaybackQuality().droppedVideoFrames }) };
</script>`;

function launch(option: string): Promise<Browser> {
  const executablePath = spawnSync('which', [CHROMIUM ?? ''])
    .stdout.toString()
    .trim();
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', option] });
}

/** The statuses that a browser gets for a page, and for a call of a script in it that hides where it comes from. `host` leads to this machine. */
export async function browserStatuses(host: string, port: number, path: string): Promise<number[]> {
  const browser = await launch(`--host-resolver-rules=MAP ${host} 127.0.0.1`);
  try {
    const page = await browser.newPage();
    const response = await page.goto(`http://${host}:${port}${path}`);
    const call = await page.evaluate(`fetch(${JSON.stringify(path)}, { referrerPolicy: 'no-referrer' }).then(({ status }) => status)`);
    return [response?.status() ?? 0, call as number];
  } finally {
    await browser.close();
  }
}

export class BrowserPlayer {
  private constructor(
    private readonly browser: Browser,
    private readonly server: Server,
    private readonly page: Page,
  ) {}

  static async open(url: string, playsWith: PlaysWith = 'hls.js'): Promise<BrowserPlayer> {
    const server = createHttpServer((request, response) => {
      const isScript = request.url?.startsWith('/hls.js') === true;
      response.writeHead(200, { 'Content-Type': isScript ? 'text/javascript' : 'text/html' }).end(isScript ? HLS_JS : PAGE);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const browser = await launch('--autoplay-policy=no-user-gesture-required');
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/?with=${playsWith}&src=${encodeURIComponent(url)}`);
    return new BrowserPlayer(browser, server, page);
  }

  state(): Promise<PlayerState> {
    return this.page.evaluate('window.player.state()');
  }

  async pause(): Promise<void> {
    await this.page.evaluate('window.player.video.pause()');
  }

  async play(): Promise<void> {
    await this.page.evaluate('window.player.video.play()');
  }

  async close(): Promise<void> {
    await this.browser.close();
    this.server.close();
  }
}

/** One client of the line API: greeting, authorisation, loading, and at most one playback, which ends with the connection. */
import { createHash, randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Content } from '../contents/content-directory.js';
import type { SessionEnd } from '../counters/counters.js';
import type { EngineParts } from '../engine-parts.js';
import { pythonJson } from '../http/python-json.js';
import { versionCode } from '../http/server-api.js';
import type { Dependant, Session } from '../sessions/session.js';
import { StartRefused } from '../sessions/session-registry.js';
import { liveposFields, statisticsOf } from '../sessions/stat.js';
import { type LineCommand, State, encodedUrl, eventLine, parseCommand, stateOf, statusLine } from './line-messages.js';

const STATUS_MS = 1000;
const MAX_LINE_BYTES = 65_536;
/** Without data for this long, the engine says that it finds no peers. */
const NO_PEERS_AFTER_MS = 60_000;

export class LineConnection implements Dependant {
  private readonly key = randomBytes(5).toString('hex');
  private buffered = '';
  private authorised = false;
  private stopNotifications = false;
  private session: Session | null = null;
  private started = false;
  private state: number = State.idle;
  private toldNoPeers = false;
  private ticker: NodeJS.Timeout | null = null;
  private ticks = 0;

  constructor(
    private readonly engine: EngineParts,
    private readonly socket: Socket,
    private readonly httpPort: () => number,
  ) {}

  start(): void {
    this.socket.setEncoding('utf8');
    this.socket.on('data', (text: string) => this.receive(text));
    this.socket.once('close', () => this.stopPlayback());
  }

  sessionEnded(how: SessionEnd): void {
    this.forget();
    if (how === 'stopped' && this.stopNotifications) this.say('STOP');
    this.enter(State.idle);
    this.say('STATUS main:idle');
  }

  private say(line: string): void {
    if (!this.socket.destroyed) this.socket.write(`${line}\r\n`);
  }

  private receive(text: string): void {
    const lines = (this.buffered + text).split(/\r?\n/);
    this.buffered = lines.pop()!;
    if (this.buffered.length > MAX_LINE_BYTES) return void this.socket.destroy();
    if (this.engine.faults.engine.hangAll) return;
    for (const line of lines) if (line.trim() !== '') this.obey(parseCommand(line));
  }

  private obey(command: LineCommand): void {
    this.engine.counters.request({
      route: `line:${command.name}`,
      method: 'LINE',
      url: command.words.join(' '),
      at: this.engine.now(),
      remote: this.socket.remoteAddress ?? '',
    });
    switch (command.name) {
      case 'HELLOBG':
        return this.greet();
      case 'READY':
        return this.authorise(command);
      case 'SHUTDOWN':
        this.say('SHUTDOWN');
        this.socket.end();
        return;
    }
    if (!this.authorised) return this.say('NOTREADY');
    switch (command.name) {
      case 'SETOPTIONS':
        this.stopNotifications = command.options.get('use_stop_notifications') === '1';
        return;
      case 'LOADASYNC':
        return this.load(command);
      case 'START':
      case 'PLAY':
        return this.play(command);
      case 'STOP':
        if (this.session) return this.stopPlayback();
        this.enter(State.idle);
        return this.say('STATUS main:idle');
      case 'STATUS':
        return this.tellStatus();
      case 'LIVESEEK':
        return this.tellLivepos();
      case 'USERDATA':
      case 'PAUSE':
      case 'RESUME':
        return;
      default:
        return this.say(`INFO 1;unknown command ${command.name}`);
    }
  }

  private greet(): void {
    const { version } = this.engine.faults.engine;
    this.say(`HELLOTS version=${version} version_code=${versionCode(version)} key=${this.key} http_port=${this.httpPort()} bmode=0`);
  }

  /** READY key=<product id>-<sha1(key + product key)>: which product keys exist nobody can know here, so any well-formed answer will do. */
  private authorise(command: LineCommand): void {
    const { lineNotReady, lineAuth0 } = this.engine.faults.engine;
    const answer = command.options.get('key') ?? '';
    if (lineNotReady || !/^[^-]+-[0-9a-f]{40}$/i.test(answer)) return this.say('NOTREADY');
    this.authorised = true;
    this.say(`AUTH ${lineAuth0 ? 0 : 1}`);
    this.say('EVENT getuserdata');
  }

  private contentOf([form = '', value = '']: string[]): Content | null {
    const { contents } = this.engine;
    switch (form.toUpperCase()) {
      case 'PID':
        return contents.byId(value);
      case 'INFOHASH':
        return contents.byInfohash(value);
      case 'TORRENT':
      case 'URL':
      case 'EFILE':
        return contents.byUrl(decodeURIComponent(value));
      case 'RAW':
        return contents.byInfohash(createHash('sha1').update(Buffer.from(value, 'base64')).digest('hex'));
      default:
        return null;
    }
  }

  private load({ words: [id, ...selector] }: LineCommand): void {
    const content = this.contentOf(selector);
    this.say('STATUS main:loading');
    const refusal = content ? this.engine.faults.of(content).refuseContent : 'failed to load content';
    if (content && this.engine.faults.of(content).lineNoLoadresp) return;
    const reply = refusal
      ? { status: 100, message: refusal }
      : {
          status: 1,
          files: [[encodeURIComponent(content!.title), 0]],
          infohash: content!.infohash,
          checksum: createHash('sha1').update(content!.infohash).digest('hex'),
        };
    this.say(`LOADRESP ${id} ${pythonJson(reply)}`);
  }

  private play({ words }: LineCommand): void {
    const content = this.contentOf(words);
    this.stopPlayback();
    if (!content || this.engine.faults.of(content).refuseContent !== null) return this.say('STATUS main:err;0;failed to load content');
    try {
      this.session = this.engine.sessions.open({ content, kind: 'ts', pid: `line-${this.key}` }).session;
    } catch (error) {
      if (error instanceof StartRefused) return this.say(`STATUS main:err;0;${error.message}`);
      throw error;
    }
    this.session.dependants.add(this);
    this.started = false;
    this.toldNoPeers = false;
    this.say('STATUS main:starting');
    this.enter(State.prebuffering);
    this.ticker = setInterval(() => this.tick(), STATUS_MS / 2);
  }

  private tick(): void {
    const { session } = this;
    if (!session || this.engine.faults.engine.hangAll) return;
    const knobs = this.engine.faults.of(session.content);
    const age = this.engine.now() - session.createdAt;
    if (knobs.lineDropAfterMs !== null && age >= knobs.lineDropAfterMs) return void this.socket.destroy();
    if (knobs.lineStopAfterMs !== null && age >= knobs.lineStopAfterMs) return this.engine.sessions.end(session, 'stopped');
    const statistics = this.statistics(session);
    if (!this.started && statistics.status !== 'prebuf') this.announce(session);
    if (this.started) this.enter(stateOf(statistics.status));
    else if (!this.toldNoPeers && age >= NO_PEERS_AFTER_MS) {
      this.toldNoPeers = true;
      this.say('INFO 1;Cannot find active peers');
    }
    this.ticks += 1;
    if (this.ticks % 2 === 0 || knobs.lineNoStatus) return;
    this.tellStatus();
    if (this.started) this.tellLivepos();
  }

  private announce(session: Session): void {
    this.started = true;
    const token = session.newToken(session.keys[0]);
    const host = (this.socket.localAddress ?? '127.0.0.1').replace(/^::ffff:/, '');
    this.say(`START url=${encodedUrl(`http://${host}:${this.httpPort()}/content/${session.infohash}/${token}`)} stream=1`);
  }

  private statistics(session: Session) {
    const { faults, broadcasts, network } = this.engine;
    return statisticsOf(session, faults.of(session.content), this.engine.now(), broadcasts.edgeTime(), network.starves(session.content));
  }

  private tellStatus(): void {
    this.say(this.session ? statusLine(this.statistics(this.session)) : 'STATUS main:idle');
  }

  private tellLivepos(): void {
    const livepos = this.session ? this.statistics(this.session).livepos : null;
    if (livepos) this.say(eventLine('livepos', liveposFields(livepos)));
  }

  private enter(state: number): void {
    if (state === this.state) return;
    if (state === State.buffering) this.say('PAUSE');
    if (this.state === State.buffering && state === State.downloading) this.say('RESUME');
    this.state = state;
    this.say(`STATE ${state}`);
  }

  private stopPlayback(): void {
    const { session } = this;
    if (!session) return;
    this.engine.sessions.end(session, 'stopped');
  }

  private forget(): void {
    this.session = null;
    this.started = false;
    if (this.ticker) clearInterval(this.ticker);
    this.ticker = null;
  }
}

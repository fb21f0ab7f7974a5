/** Structured logs: one line per event, the level as an upper-case word (operators grep for ERROR), ids as fields. */
import type { LoggerService } from '@nestjs/common';
import { type DestinationStream, type Logger, pino } from 'pino';
import { messageOf } from '../primitives/coded-error.js';
import type { LogFormat, LogLevel } from './log-settings.js';
import { withSourcePositions } from './source-positions.js';

export type LogFields = Record<string, unknown>;

const SECRET_FIELDS = ['authorization', 'Authorization', 'api_key', 'apiKey', 'headers.authorization', 'headers.Authorization'];
const HIDDEN = '(hidden)';
/** Shorter secrets are not searched for, because they occur in ordinary text. */
const MIN_SECRET_LENGTH = 6;

export class Log {
  constructor(private readonly logger: Logger) {}

  debug(event: string, fields: LogFields = {}): void {
    this.logger.debug(fields, event);
  }

  info(event: string, fields: LogFields = {}): void {
    this.logger.info(fields, event);
  }

  warn(event: string, fields: LogFields = {}): void {
    this.logger.warn(fields, event);
  }

  /** `fields.error`: an expected failure as its text, an unexpected one as the Error, whose stack is logged. */
  error(event: string, fields: LogFields = {}): void {
    this.logger.error(fields, event);
  }

  /** A log whose lines have the name of a part of the service, and further fields. */
  child(part: string, fields: LogFields = {}): Log {
    return new Log(this.logger.child({ part, ...fields }));
  }
}

export interface LogOptions {
  service: string;
  level: LogLevel;
  format?: LogFormat;
  /** In every line. */
  fields?: LogFields;
  /** Texts that are hidden in every line, such as API keys. */
  secrets?: readonly (string | undefined)[];
  /** Default: standard output. */
  destination?: DestinationStream;
}

export function createLog({ service, level, format = 'json', fields = {}, secrets = [], destination = process.stdout }: LogOptions): Log {
  const hide = secretFilter(secrets);
  const sink = { write: (line: string) => destination.write(format === 'json' ? hide(line) : textLine(hide(line))) };
  return new Log(
    pino(
      {
        level: level.toLowerCase(),
        base: { service, ...fields },
        timestamp: () => `,"time":"${new Date().toISOString()}"`,
        formatters: { level: (label) => ({ level: label.toUpperCase() }) },
        serializers: { error: describeError },
        redact: { paths: SECRET_FIELDS, censor: HIDDEN },
      },
      sink,
    ),
  );
}

/** Discards everything. */
export const SILENT_LOG = new Log(pino({ level: 'silent' }));

/** Only some fields of an error: errors of HTTP clients contain the whole request with its keys. */
function describeError(error: unknown): object {
  if (!(error instanceof Error)) return { message: String(error) };
  const { type, message, stack } = pino.stdSerializers.err(error);
  const { code } = error as { code?: unknown };
  return { type, message, ...((typeof code === 'string' || typeof code === 'number') && { code }), stack: withSourcePositions(stack) };
}

/** Hides the secrets in a line, in plain and JSON-escaped form. */
function secretFilter(secrets: readonly (string | undefined)[]): (line: string) => string {
  const texts = secrets
    .filter((secret): secret is string => secret !== undefined && secret.length >= MIN_SECRET_LENGTH)
    .flatMap((secret) => [...new Set([JSON.stringify(secret).slice(1, -1), secret])]);
  return (line) => texts.reduce((rest, text) => rest.replaceAll(text, HIDDEN), line);
}

/** A JSON line in a form for terminals. */
function textLine(json: string): string {
  const { time, level, service, part, msg, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const error = fields.error as { message?: string; stack?: string } | undefined;
  if (error?.message !== undefined) fields.error = error.message;
  const rest = Object.entries(fields).map(([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const stack = error?.stack && level === 'ERROR' ? `\n${error.stack}` : '';
  return `${String(time).slice(11, 23)} ${String(level).padEnd(5)} ${[service, part].filter(Boolean).join('/')}: ${String(msg)}${rest.join('')}${stack}\n`;
}

/** Writes Nest's own messages to the log. Its routine messages are logged as debug. */
export class NestLog implements LoggerService {
  readonly log = this.debug.bind(this);
  readonly verbose = this.debug.bind(this);

  constructor(private readonly target: Log) {}

  debug(message: unknown, ...rest: unknown[]): void {
    this.target.debug(String(message), context(rest));
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.target.warn(String(message), context(rest));
  }

  error(message: unknown, ...rest: unknown[]): void {
    const text = messageOf(message);
    this.target.error(text, { ...context(rest), ...(message instanceof Error && { error: message }) });
  }
}

function context(rest: unknown[]): LogFields {
  const name = rest.at(-1);
  return typeof name === 'string' ? { nest: name } : {};
}

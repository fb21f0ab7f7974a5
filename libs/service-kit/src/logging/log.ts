/**
 * Structured logs: one line an event, the level as an upper-case word (operators grep for ERROR), ids as fields.
 */
import type { LoggerService } from '@nestjs/common';
import { type DestinationStream, type Logger, pino } from 'pino';

export const LOG_LEVELS = ['DEBUG', 'INFO', 'WARN', 'ERROR'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export const LOG_FORMATS = ['json', 'text'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

export type LogFields = Record<string, unknown>;

/** Fields that never reach a log. */
const SECRET_FIELDS = ['authorization', 'Authorization', 'api_key', 'apiKey', 'headers.authorization', 'headers.Authorization'];
const HIDDEN = '(hidden)';
const LEAST_SECRET = 6;

/** What a class needs to log; an abstract class so that Nest can inject it by its type. */
export abstract class Log {
  abstract debug(event: string, fields?: LogFields): void;
  abstract info(event: string, fields?: LogFields): void;
  abstract warn(event: string, fields?: LogFields): void;
  /** `fields.error` may be an Error: its stack is kept. */
  abstract error(event: string, fields?: LogFields): void;
  /** A log whose lines bear the name of a part of the service, and further fields. */
  abstract child(part: string, fields?: LogFields): Log;
}

class PinoLog extends Log {
  constructor(private readonly logger: Logger) {
    super();
  }

  debug(event: string, fields: LogFields = {}): void {
    this.logger.debug(fields, event);
  }

  info(event: string, fields: LogFields = {}): void {
    this.logger.info(fields, event);
  }

  warn(event: string, fields: LogFields = {}): void {
    this.logger.warn(fields, event);
  }

  error(event: string, fields: LogFields = {}): void {
    this.logger.error(fields, event);
  }

  child(part: string, fields: LogFields = {}): Log {
    return new PinoLog(this.logger.child({ part, ...fields }));
  }
}

export interface LogOptions {
  service: string;
  level: LogLevel;
  format?: LogFormat;
  /** Words that are in no line, whoever writes them: keys. */
  secrets?: readonly (string | undefined)[];
  /** Standard output by default. */
  destination?: DestinationStream;
}

export function createLog({ service, level, format = 'json', secrets = [], destination = process.stdout }: LogOptions): Log {
  const hide = hiding(secrets);
  const sink = { write: (line: string) => destination.write(format === 'json' ? hide(line) : textLine(hide(line))) };
  return new PinoLog(
    pino(
      {
        level: level.toLowerCase(),
        base: { service },
        timestamp: () => `,"time":"${new Date().toISOString()}"`,
        formatters: { level: (label) => ({ level: label.toUpperCase() }) },
        serializers: { error: describeError },
        redact: { paths: SECRET_FIELDS, censor: HIDDEN },
      },
      sink,
    ),
  );
}

/** A log that keeps nothing, for tests and for parts that are used without a service. */
export const SILENT_LOG: Log = new PinoLog(pino({ level: 'silent' }));

/** What an error says of itself and its causes. Errors of HTTP clients bear the whole request, with its keys: that stays away. */
function describeError(error: unknown): object {
  if (!(error instanceof Error)) return { message: String(error) };
  const { type, message, stack } = pino.stdSerializers.err(error);
  const { code } = error as { code?: unknown };
  return { type, message, ...((typeof code === 'string' || typeof code === 'number') && { code }), stack };
}

/** Takes the secrets out of a line, as they stand in JSON and as they are. A very short one would take the line to pieces. */
function hiding(secrets: readonly (string | undefined)[]): (line: string) => string {
  const words = secrets
    .filter((secret): secret is string => secret !== undefined && secret.length >= LEAST_SECRET)
    .flatMap((secret) => [...new Set([JSON.stringify(secret).slice(1, -1), secret])]);
  return (line) => words.reduce((rest, word) => rest.replaceAll(word, HIDDEN), line);
}

/** The same line for a person's terminal. */
function textLine(json: string): string {
  const { time, level, service, part, msg, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const error = fields.error as { message?: string; stack?: string } | undefined;
  if (error?.stack) fields.error = error.message;
  const rest = Object.entries(fields).map(([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const stack = error?.stack && level === 'ERROR' ? `\n${error.stack}` : '';
  return `${String(time).slice(11, 23)} ${String(level).padEnd(5)} ${[service, part].filter(Boolean).join('/')}: ${String(msg)}${rest.join('')}${stack}\n`;
}

/** Nest's own messages in the same log; its routine chatter at start is debug. */
export class NestLog implements LoggerService {
  constructor(private readonly log_: Log) {}

  log(message: unknown, ...rest: unknown[]): void {
    this.log_.debug(String(message), context(rest));
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.log_.error(message instanceof Error ? message.message : String(message), {
      ...context(rest),
      ...(message instanceof Error && { error: message }),
    });
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.log_.warn(String(message), context(rest));
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.log_.debug(String(message), context(rest));
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.log_.debug(String(message), context(rest));
  }
}

function context(rest: unknown[]): LogFields {
  const name = rest.at(-1);
  return typeof name === 'string' ? { nest: name } : {};
}

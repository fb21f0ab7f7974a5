import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, HttpStatus } from '@nestjs/common';
import type { Request, Response } from 'express';
import { STATUS_CODES } from 'node:http';
import type { Log } from '../logging/log.js';
import { allowedMethods } from './allowed-methods.js';

/** What a domain error becomes on the wire. `detail` is what existing clients read. */
export interface ErrorReply {
  status: number;
  detail: unknown;
  headers?: Record<string, string>;
  /** Further keys of the body, beside Nest's usual ones. */
  body?: Record<string, unknown>;
}

/** Says what an error of the service's own becomes, or null where it does not know it. */
export type ErrorMapping = (error: unknown) => ErrorReply | null;

/**
 * The one place where errors become statuses: `{statusCode, error, message, detail}`; an unknown error is a 500 that tells the
 * client nothing and the log everything. A known path with another method is 405 with `Allow`.
 */
@Catch()
export class DetailExceptionFilter implements ExceptionFilter {
  constructor(
    private readonly log: Log,
    private readonly mapping: ErrorMapping = () => null,
  ) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<Request>();
    const response = http.getResponse<Response>();
    const reply = this.mapping(error) ?? fromHttp(error, request) ?? this.unexpected(error, request);
    if (response.headersSent) {
      response.destroy(error instanceof Error ? error : undefined);
      return;
    }
    response.status(reply.status).set(reply.headers ?? {});
    if (request.method === 'HEAD') response.end();
    else
      response.json({
        statusCode: reply.status,
        error: STATUS_CODES[reply.status],
        message: textOf(reply.detail),
        detail: reply.detail,
        ...reply.body,
      });
  }

  private unexpected(error: unknown, request: Request): ErrorReply {
    this.log.error('request failed', {
      method: request.method,
      path: request.path,
      error: error instanceof Error ? error : new Error(String(error)),
    });
    return { status: HttpStatus.INTERNAL_SERVER_ERROR, detail: 'internal error; the log of the service has the cause' };
  }
}

function fromHttp(error: unknown, request: Request): ErrorReply | null {
  if (error instanceof HttpException) {
    const status = error.getStatus();
    if (status === 404 && error.message.startsWith(`Cannot ${request.method} `)) return noRoute(request);
    const body = error.getResponse();
    if (typeof body === 'string') return { status, detail: body };
    const { statusCode: _statusCode, error: _error, message, detail, ...rest } = body as Record<string, unknown>;
    return { status, detail: detail ?? (Array.isArray(message) ? message.join('; ') : (message ?? error.message)), body: rest };
  }
  // The body parser's errors (malformed JSON, too large) bear a status and say that they may be shown.
  const { status, expose, message } = error as { status?: unknown; expose?: unknown; message?: string };
  return typeof status === 'number' && expose === true ? { status, detail: message ?? STATUS_CODES[status] } : null;
}

function noRoute(request: Request): ErrorReply {
  const allowed = allowedMethods(request);
  if (allowed.length === 0) return { status: 404, detail: `no such path: ${request.path}` };
  return {
    status: 405,
    detail: `${request.path} takes ${allowed.join(', ')}, not ${request.method}`,
    headers: { Allow: allowed.join(', ') },
  };
}

function textOf(detail: unknown): string {
  if (typeof detail === 'string') return detail;
  const message = (detail as { message?: unknown } | null)?.message;
  return typeof message === 'string' ? message : JSON.stringify(detail);
}

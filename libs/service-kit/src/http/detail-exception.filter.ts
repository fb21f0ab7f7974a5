import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, HttpStatus } from '@nestjs/common';
import type { Request, Response } from 'express';
import { STATUS_CODES } from 'node:http';
import type { Log } from '../logging/log.js';
import { asError } from '../primitives/coded-error.js';
import { allowedMethods } from './allowed-methods.js';

/** HTTP answer to an error. Existing clients read `detail`. */
export interface ErrorReply {
  status: number;
  detail: unknown;
  headers?: Record<string, string>;
  /** Additional keys of the body. */
  body?: Record<string, unknown>;
}

/** The answer to a domain error of the service; null for errors that it does not know. */
export type ErrorMapping = (error: unknown) => ErrorReply | null;

/**
 * Turns every error into an answer `{statusCode, error, message, detail}`. An unknown error becomes a 500 whose cause is only in the log. A known
 * path with an unsupported method becomes 405 with `Allow`.
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
      error: asError(error),
    });
    return { status: HttpStatus.INTERNAL_SERVER_ERROR, detail: 'internal error: see the log of the service for the cause' };
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
  // Errors of the body parser (malformed JSON, too large) have a status, and `expose` when the client may see them.
  const { status, expose, message } = error as { status?: unknown; expose?: unknown; message?: string };
  return typeof status === 'number' && expose === true ? { status, detail: message ?? STATUS_CODES[status] } : null;
}

function noRoute(request: Request): ErrorReply {
  const allowed = allowedMethods(request);
  if (allowed.length === 0) return { status: 404, detail: `no such path: ${request.path}` };
  return {
    status: 405,
    detail: `${request.method} is not supported at ${request.path}: use ${allowed.join(', ')}`,
    headers: { Allow: allowed.join(', ') },
  };
}

function textOf(detail: unknown): string {
  if (typeof detail === 'string') return detail;
  const message = (detail as { message?: unknown } | null)?.message;
  return typeof message === 'string' ? message : JSON.stringify(detail);
}

import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import type { Request, Response } from 'express';
import type { Observable } from 'rxjs';
import { HttpSettings, parseMediaOrigins } from './http-settings.js';

/** Adds to every answer of a call for media, errors included, what browsers and reverse proxies need to play it. */
@Injectable()
export class MediaHeaders implements NestInterceptor {
  private readonly origins: readonly string[];

  constructor({ mediaCorsOrigins }: HttpSettings) {
    this.origins = parseMediaOrigins(mediaCorsOrigins);
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const http = context.switchToHttp();
    const response = http.getResponse<Response>();
    // A `<video>` without `crossorigin` in a page of another origin, or of another port, loads nothing else.
    response.setHeader('Cross-Origin-Resource-Policy', 'cross-origin');
    // nginx would write the stream of a slow viewer to its disk, and the proxy would never learn that the viewer is slow.
    response.setHeader('X-Accel-Buffering', 'no');
    this.allowScripts(http.getRequest<Request>().headers.origin, response);
    return next.handle();
  }

  private allowScripts(origin: string | undefined, response: Response): void {
    if (this.origins.includes('*')) {
      response.setHeader('Access-Control-Allow-Origin', '*');
      return;
    }
    response.vary('Origin');
    if (origin !== undefined && this.origins.includes(origin)) response.setHeader('Access-Control-Allow-Origin', origin);
  }
}

import { All, Controller, HttpStatus, Res, ServiceUnavailableException, UseInterceptors } from '@nestjs/common';
import type { Response } from 'express';
import { MediaHeaders } from '../http/media-headers.interceptor.js';
import { WorkerSessions } from './worker-sessions.js';

const RETRY_AFTER_S = 5;

/** The front answers a request for media itself only when the worker that should do so has ended or does not start. */
@UseInterceptors(MediaHeaders)
@Controller()
export class NoWorkerController {
  constructor(private readonly sessions: WorkerSessions) {}

  @All(['ace/getstream', 'ace/manifest.m3u8', 'ace/hls/:stream/:file', 'playlist.m3u'])
  refuse(@Res({ passthrough: true }) response: Response): never {
    response.setHeader('Retry-After', String(RETRY_AFTER_S));
    const message =
      this.sessions.rejecting === null
        ? 'the process for this content is starting again'
        : `the proxy takes no viewers: ${this.sessions.rejecting}`;
    throw new ServiceUnavailableException({ statusCode: HttpStatus.SERVICE_UNAVAILABLE, message, retry_after: RETRY_AFTER_S });
  }
}

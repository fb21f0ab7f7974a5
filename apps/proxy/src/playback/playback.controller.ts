import { Controller, Get, NotFoundException, Req, Res, UseInterceptors } from '@nestjs/common';
import type { Request, Response } from 'express';
import { HlsSettings } from '../hls/hls-settings.js';
import { HlsService } from '../hls/hls.service.js';
import { SessionRegistry } from '../sessions/session-registry.js';
import { ViewerSettings } from '../sessions/viewer-settings.js';
import { parseChoices, parseSelector } from '../http/getstream.request.js';
import { MediaHeaders } from '../http/media-headers.interceptor.js';
import { readTarget } from '../http/request-target.js';
import { STREAM_HEADERS } from './socket-sink.js';
import { overview, streamStatus } from './stream-status.js';
import { ViewerService } from './viewer.service.js';

@Controller('ace')
export class PlaybackController {
  constructor(
    private readonly viewers: ViewerService,
    private readonly registry: SessionRegistry,
    private readonly hls: HlsService,
    private readonly hlsSettings: HlsSettings,
    private readonly limits: ViewerSettings,
  ) {}

  /** Nest passes HEAD to this handler too: it gets the headers and starts no session. */
  @Get('getstream')
  @UseInterceptors(MediaHeaders)
  async getstream(@Req() request: Request, @Res() response: Response): Promise<void> {
    if (this.hlsSettings.m3u8) return this.hls.answer(request, response);
    const contents = parseChoices(readTarget(request.url).query);
    if (request.method === 'HEAD') response.writeHead(200, STREAM_HEADERS).end();
    else await this.viewers.serve(contents, request, response);
  }

  @Get('status')
  status(@Req() request: Request): object {
    const { query } = readTarget(request.url);
    const hlsOf = (streamId: string) => this.hls.statusOf(streamId);
    if (!query.has('id') && !query.has('infohash')) return overview(this.registry.snapshots(), hlsOf, this.limits, this.registry.budget);
    const selector = parseSelector(query);
    const session = this.registry.findAnyVariant(selector);
    if (!session) throw new NotFoundException(`no stream with ${selector.type} ${selector.value} is playing`);
    return streamStatus(session.snapshot(), hlsOf);
  }
}

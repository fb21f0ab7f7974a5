import { Controller, Get, NotFoundException, Param, Req, Res, UseInterceptors } from '@nestjs/common';
import type { Request, Response } from 'express';
import { MediaHeaders } from '../http/media-headers.interceptor.js';
import { parseSegment } from './hls.request.js';
import { HlsService } from './hls.service.js';

/** Nest passes HEAD to these handlers too: it gets the headers and starts no session. */
@UseInterceptors(MediaHeaders)
@Controller('ace')
export class HlsController {
  constructor(private readonly hls: HlsService) {}

  @Get('manifest.m3u8')
  async manifest(@Req() request: Request, @Res() response: Response): Promise<void> {
    await this.hls.answer(request, response);
  }

  @Get('hls/:stream/:file')
  segment(@Param('stream') stream: string, @Param('file') file: string, @Req() request: Request, @Res() response: Response): void {
    const sequence = parseSegment(file);
    if (sequence === null) throw new NotFoundException(`${file} is not a segment: segments are named <number>.ts`);
    this.hls.serveSegment(stream, sequence, request, response);
  }
}

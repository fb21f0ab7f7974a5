import {
  BadGatewayException,
  BadRequestException,
  Controller,
  ForbiddenException,
  Get,
  Req,
  Res,
  ServiceUnavailableException,
  UseInterceptors,
} from '@nestjs/common';
import type { Request, Response } from 'express';
import { tokenForLinks, readAccess } from '../http/access.request.js';
import { AccessSettings } from '../http/access-settings.js';
import { MediaHeaders } from '../http/media-headers.interceptor.js';
import { readTarget } from '../http/request-target.js';
import { PlaylistSettings } from './playlist-settings.js';
import { PlaylistSourceError, fetchPlaylist } from './playlist-fetch.js';
import { PlaylistFormatError, playlistText } from './playlist-text.js';
import { type ProxyLinks, rewritePlaylist } from './rewrite.js';
import { baseUrl, isAllowed, parseSources } from './sources.policy.js';

/** Maximum simultaneous downloads; each playlist may have 32 MiB. */
const MAX_FETCHES = 8;
const RETRY_AFTER_S = 5;
/** A client that takes no bytes for this long is disconnected (ms). */
const STALL_MS = 30_000;

/** `GET /playlist.m3u`: an M3U playlist from another server, with its AceStream links rewritten to this proxy. */
@UseInterceptors(MediaHeaders)
@Controller()
export class PlaylistsController {
  private readonly sources: readonly URL[];
  private readonly withTokens: boolean;
  private fetching = 0;

  constructor({ playlistSources = '' }: PlaylistSettings, { tokens }: AccessSettings) {
    this.sources = parseSources(playlistSources);
    this.withTokens = tokens !== undefined;
  }

  /** HEAD gets the headers and downloads nothing. */
  @Get('playlist.m3u')
  async playlist(@Req() request: Request, @Res() response: Response): Promise<void> {
    const url = this.wanted(request);
    const headers = { 'Content-Type': 'audio/x-mpegurl', 'Cache-Control': 'no-store' };
    if (request.method === 'HEAD') {
      response.writeHead(200, headers).end();
      return;
    }
    if (this.fetching >= MAX_FETCHES) {
      response.setHeader('Retry-After', String(RETRY_AFTER_S));
      throw new ServiceUnavailableException(`${MAX_FETCHES} playlists are being downloaded already: try again in ${RETRY_AFTER_S} s`);
    }
    const { prefix, parameter } = this.withTokens
      ? tokenForLinks(readAccess(request.originalUrl, request.headers.authorization))
      : { prefix: '', parameter: '' };
    const rewritten = await this.rewritten(url, { base: baseUrlOf(request) + prefix, parameter });
    response.setTimeout(STALL_MS, () => response.destroy());
    response.writeHead(200, { ...headers, 'Content-Length': rewritten.length }).end(rewritten);
  }

  private async rewritten(url: URL, links: ProxyLinks): Promise<Buffer> {
    this.fetching += 1;
    try {
      return await rewritePlaylist(await playlistText(await fetchPlaylist(url, this.sources)), links);
    } catch (error) {
      if (error instanceof PlaylistSourceError) throw new BadGatewayException(error.message);
      if (error instanceof PlaylistFormatError)
        throw new BadGatewayException(`the reply of ${url.host} is not a playlist: ${error.message}`);
      throw error;
    } finally {
      this.fetching -= 1;
    }
  }

  private wanted(request: Request): URL {
    const given = new Set(readTarget(request.url).query.getAll('url'));
    if (given.size !== 1) throw new BadRequestException('parameter "url" must be given exactly once: the URL of the playlist');
    const [text] = given;
    const url = URL.canParse(text) ? new URL(text) : null;
    if (url === null || !/^https?:$/.test(url.protocol)) throw new BadRequestException('parameter "url" must be an http(s) URL');
    if (!isAllowed(url, this.sources)) throw new ForbiddenException(`${url.href} is not allowed: add it to ACEXY_PLAYLIST_SOURCES`);
    return url;
  }
}

function baseUrlOf(request: Request): string {
  const { socket } = request;
  return baseUrl({
    protocol: 'http',
    host: request.get('host'),
    forwardedProto: request.get('x-forwarded-proto'),
    forwardedHost: request.get('x-forwarded-host'),
    forwardedPrefix: request.get('x-forwarded-prefix'),
    local: { address: socket.localAddress ?? 'localhost', port: socket.localPort ?? 80 },
  });
}

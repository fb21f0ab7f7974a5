/** The OpenAPI description of the proxy. Plain data, loaded when somebody reads it. */
import type { OpenAPIObject } from '@acexy/service-kit/openapi';
import { HINTS, VARIANTS } from '../http/content-key.js';
import { MAX_ALTERNATIVES, MAX_VALUE } from '../http/content-link.js';
import { SCHEMAS } from './openapi-schemas.js';

const HEX40 = '^[0-9a-fA-F]{40}$';
const EXAMPLE_ID = 'dd1e67078381739d14beca697356ab76d49d1a2d';

const text = { type: 'string' };
const hex40 = { ...text, pattern: HEX40 };
const value = { ...text, maxLength: MAX_VALUE };

type Headers = Record<string, { description: string; schema: object }>;
type Responses = NonNullable<OpenAPIObject['paths'][string]['get']>['responses'];

interface Parameter {
  name: string;
  in: 'query' | 'path';
  required?: boolean;
  description: string;
  schema: object;
}

const query = (name: string, description: string, schema: object = text): Parameter => ({ name, in: 'query', description, schema });

/** One of them is required, which OpenAPI cannot say. */
const SELECTED: Parameter[] = [
  query('id', 'Content id. Exactly one of `id` and `infohash` is required', { ...hex40, example: EXAMPLE_ID }),
  query('infohash', 'Infohash', hex40),
];

const CONTENT: Parameter[] = [
  ...SELECTED,
  query('content_id', 'Another name of `id`', hex40),
  query(
    'alt',
    `Up to ${MAX_ALTERNATIVES} other contents, tried when the first one does not play: ids, or infohashes with the prefix \`infohash:\`, separated by commas`,
  ),
  ...[...VARIANTS].map((name) => query(name, 'Passed on to the engine; another value is another stream', value)),
  ...[...HINTS].map((name) => query(name, 'Passed on to the engine', value)),
];

const reply = (description: string, schema: string, headers: Headers = {}) => ({
  description,
  content: { 'application/json': { schema: { $ref: `#/components/schemas/${schema}` } } },
  headers,
});

const media = (description: string, type: string) => ({
  description,
  content: { [type]: { schema: { type: 'string', format: 'binary' } } },
});

const RETRY_AFTER = { 'Retry-After': { description: 'Seconds to wait before the next request', schema: { type: 'integer' } } };
const UNAUTHORIZED = { 401: reply('ACEXY_TOKENS is set and the request has no valid token', 'Error') };
const START_ERRORS = {
  ...UNAUTHORIZED,
  400: reply('No content, or a parameter that is not allowed', 'Error'),
  502: reply('Every engine that was tried refused the content, or the stream ended at once', 'Error'),
  503: reply('No engine is available, too many viewers, or the proxy is shutting down', 'Error', RETRY_AFTER),
  504: reply('The engines did not answer in time', 'Error'),
};
const PLAYLIST = 'application/vnd.apple.mpegurl';
const HEAD_NOTE = 'HEAD answers the headers and starts nothing.';

/** Without ACEXY_TOKENS no token is needed. */
const ACCESS: Record<string, string[]>[] = [{}, { bearer: [] }, { token: [] }];

/** A call of viewers: with ACEXY_TOKENS it needs a token. */
const viewerCall = (summary: string, description: string, parameters: Parameter[], responses: Responses) => ({
  get: {
    tags: ['viewers'],
    summary,
    description,
    parameters,
    responses,
    security: ACCESS,
  },
});
const openCall = (tag: string, summary: string, responses: Responses) => ({ get: { tags: [tag], summary, responses } });

export const OPENAPI: OpenAPIObject = {
  openapi: '3.0.0',
  info: {
    title: 'AceStream proxy',
    description: 'One address for live streams. A path may also start with `/t/<token>`, for players that cannot send a query or header',
    version: '1',
  },
  paths: {
    '/': openCall('service', 'Says what this service is', { 200: reply('Name and calls', 'About') }),
    '/ace/getstream': viewerCall(
      'Plays a stream as MPEG-TS',
      `Endless. With ACEXY_M3U8=true it answers as \`/ace/manifest.m3u8\`. ${HEAD_NOTE}`,
      CONTENT,
      {
        200: media('The stream', 'video/MP2T'),
        ...START_ERRORS,
      },
    ),
    '/ace/manifest.m3u8': viewerCall(
      'Plays a stream as HLS',
      `The first answer names the viewer's own playlist. ${HEAD_NOTE}`,
      [...CONTENT, query('hls', 'Id of the viewer, from the first answer')],
      {
        200: media('A playlist with relative addresses', PLAYLIST),
        ...START_ERRORS,
      },
    ),
    '/ace/hls/{stream}/{file}': viewerCall(
      'A segment of an HLS stream',
      'Its address is in the playlist',
      [
        { name: 'stream', in: 'path', required: true, description: 'Stream id', schema: text },
        { name: 'file', in: 'path', required: true, description: '`<number>.ts`', schema: text },
      ],
      { 200: media('The segment', 'video/MP2T'), ...UNAUTHORIZED, 404: reply('No such segment, or no longer', 'Error') },
    ),
    '/ace/status': viewerCall('What plays now', 'With `id` or `infohash`: one stream', SELECTED, {
      200: {
        description: 'All streams, or the requested one',
        content: {
          'application/json': {
            schema: { oneOf: [{ $ref: '#/components/schemas/Overview' }, { $ref: '#/components/schemas/StreamStatus' }] },
          },
        },
      },
      ...UNAUTHORIZED,
      400: reply('The id is not valid', 'Error'),
      404: reply('The content does not play', 'Error'),
    }),
    '/playlist.m3u': viewerCall(
      'A list of channels from another server, with its AceStream links rewritten to this proxy',
      HEAD_NOTE,
      [{ ...query('url', 'Address of the list; ACEXY_PLAYLIST_SOURCES must allow it', { ...text, format: 'uri' }), required: true }],
      {
        200: media('The list', 'audio/x-mpegurl'),
        ...UNAUTHORIZED,
        400: reply('No address, or not an HTTP address', 'Error'),
        403: reply('ACEXY_PLAYLIST_SOURCES does not allow it', 'Error'),
        502: reply('The other server cannot be reached, or its answer is not a list', 'Error'),
        503: reply('Too many lists are being downloaded', 'Error', RETRY_AFTER),
      },
    ),
    '/health': openCall('service', 'Liveness', { 200: reply('The process runs', 'Health') }),
    '/health/ready': openCall('service', 'Readiness: whether new viewers are accepted', {
      200: reply('Ready', 'Health'),
      503: reply('Shutting down', 'Unready'),
    }),
    '/metrics': openCall('service', 'Metrics for Prometheus', { 200: media('Prometheus text format', 'text/plain') }),
  },
  components: {
    schemas: SCHEMAS as NonNullable<OpenAPIObject['components']>['schemas'],
    securitySchemes: { bearer: { type: 'http', scheme: 'bearer' }, token: { type: 'apiKey', in: 'query', name: 'token' } },
  },
};

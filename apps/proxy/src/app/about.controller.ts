import { Controller, Get } from '@nestjs/common';

/** Describes the service, for people and monitors that open `/`. */
@Controller()
export class AboutController {
  @Get()
  about(): object {
    return {
      name: 'acexy',
      description: 'AceStream stream proxy: one address for live streams',
      endpoints: ['/ace/getstream?id=', '/ace/getstream?infohash=', '/ace/status', '/health', '/health/ready', '/metrics', '/docs'],
    };
  }
}

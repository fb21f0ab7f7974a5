import { Controller, Get } from '@nestjs/common';

/** Who answers here, for the curious and for monitors that look at `/`. */
@Controller()
export class AboutController {
  @Get()
  about(): object {
    return {
      name: 'acexy',
      description: 'AceStream stream proxy: one address for live streams',
      endpoints: ['/ace/getstream?id=', '/ace/getstream?infohash=', '/ace/status', '/health', '/health/ready', '/metrics'],
    };
  }
}

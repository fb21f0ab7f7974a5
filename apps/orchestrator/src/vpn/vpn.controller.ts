import { VpnStatus } from '@acexy/contracts';
import { Controller, Get, Header } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@acexy/service-kit/openapi';
import { VpnService } from './vpn.service.js';

@ApiTags('vpn')
@Controller('vpn')
export class VpnController {
  constructor(private readonly vpn: VpnService) {}

  @Get('status')
  @Header('Cache-Control', 'no-store')
  @ApiOperation({ summary: 'Status of the VPN of the engines: connection, reason and forwarded port' })
  @ApiOkResponse({ type: VpnStatus })
  status(): VpnStatus {
    return this.vpn.status();
  }
}

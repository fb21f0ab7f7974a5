import { VpnStatus } from '@acexy/contracts';
import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { VpnView } from './vpn-view.js';

@ApiTags('vpn')
@Controller('vpn')
export class VpnController {
  constructor(private readonly vpn: VpnView) {}

  @Get('status')
  @ApiOperation({ summary: 'The VPN that engines stand behind; disabled where there is none' })
  @ApiOkResponse({ type: VpnStatus })
  status(): VpnStatus {
    return this.vpn.status();
  }
}

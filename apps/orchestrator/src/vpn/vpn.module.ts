import { Module } from '@nestjs/common';
import { VpnController } from './vpn.controller.js';
import { VpnView } from './vpn-view.js';

/** The VPN that engines may stand behind. */
@Module({ controllers: [VpnController], providers: [VpnView], exports: [VpnView] })
export class VpnModule {}

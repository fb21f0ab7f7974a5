import { type PortRange, Setting, SettingsGroup } from '@acexy/service-kit/settings';

@SettingsGroup('Ports of engines')
export class PortSettings {
  @Setting({ name: 'PORT_RANGE_HOST', type: 'port-range', default: '19000-19999', help: 'HTTP ports of engines on the host' })
  portRangeHost!: PortRange;

  @Setting({ name: 'ACE_HTTPS_RANGE', type: 'port-range', default: '45000-49999', help: 'HTTPS ports of engines' })
  httpsRange!: PortRange;

  @Setting({
    name: 'ACE_API_RANGE',
    type: 'port-range',
    default: '35000-35999',
    help: 'API ports of engines that share a network: engines behind a VPN, or local processes',
  })
  apiRange!: PortRange;

  @Setting({ name: 'ACE_P2P_RANGE', type: 'port-range', default: '36000-36999', help: 'P2P ports of engines' })
  p2pRange!: PortRange;
}

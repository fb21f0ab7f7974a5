import { Setting, SettingsGroup } from '@acexy/service-kit/settings';

@SettingsGroup('Reporting')
export class ReportingSettings {
  @Setting({ name: 'ACEXY_CONTAINER_ID', type: 'string', help: 'Container id of the proxy, sent as a label of its events' })
  containerId?: string;
}

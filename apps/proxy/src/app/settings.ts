import type { SettingsDefinition } from '@acexy/service-kit/settings';
import { HlsSettings } from '../hls/hls-settings.js';
import { AccessSettings } from '../http/access-settings.js';
import { HttpSettings } from '../http/http-settings.js';
import { PlaylistSettings } from '../playlists/playlist-settings.js';
import { ReportingSettings } from '../reporting/reporting-settings.js';
import { SelectionSettings } from '../selection/selection-settings.js';
import { BufferSettings } from '../sessions/buffer-settings.js';
import { FailoverSettings } from '../sessions/failover/failover-settings.js';
import { StartSettings } from '../sessions/start/start-settings.js';
import { ViewerSettings } from '../sessions/viewer-settings.js';
import { WorkerSettings } from '../workers/worker-settings.js';
import { ServiceSettings } from './service-settings.js';

/** All settings of the proxy, in the order of the documentation. Each module declares and injects its own group. */
export const PROXY_SETTINGS: SettingsDefinition = {
  prefix: 'ACEXY_',
  readByOthers: ['ACEXY_PUBLISHED_PORT', 'ACEXY_MEMORY', 'ACEXY_REPLICAS'],
  groups: [
    HttpSettings,
    AccessSettings,
    ServiceSettings,
    WorkerSettings,
    SelectionSettings,
    ReportingSettings,
    StartSettings,
    FailoverSettings,
    ViewerSettings,
    BufferSettings,
    HlsSettings,
    PlaylistSettings,
  ],
};

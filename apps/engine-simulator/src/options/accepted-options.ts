/** The options that engines 3.1 and 3.2 and their images accept: the documented ones, and those that images and orchestrators use. */

const names = (...lines: string[]): ReadonlySet<string> => new Set(lines.flatMap((line) => line.split(' ')));

/** Options without a value; some images give a value to some of them. */
export const FLAG_OPTIONS = names(
  // Mode of the program
  'client-console client-wx client-gtk stream-source-node stream-support-node create-hls-transport private-node',
  // Network and access
  'bind-all service-remote-access service-remote-allow-cors upnp-enabled disable-upnp make-default-access-token',
  // Cache and playback
  'cache-auto live-cache-auto-size live-adjust-buffer-time use-internal-buffering',
  'live-disable-multiple-read-threads live-stop-main-read-thread delete-pieces-before-playback delete-chunks-before-playback',
  // Peers, logs and reports
  'auto-slots fix-upload-slots log-stdout log-stderr stats-report-peers disable-sentry allow-user-config',
);

/** Options with a value. */
export const VALUE_OPTIONS = names(
  // Ports and access
  'http-port https-port api-port port login password access-token service-access-token',
  // Folders and caches
  'state-dir cache-dir cache-limit cache-max-bytes memory-cache-limit disk-cache-limit max-file-size',
  'disk-cache-cleanup-interval-active disk-cache-cleanup-interval-inactive',
  'live-cache-type live-cache-size live-mem-cache-size live-disk-cache-size live-cache-auto-size-reserve live-cache-max-memory-percent',
  'vod-cache-type vod-cache-size',
  // Buffers
  'live-buffer live-buffer-time live-max-buffer-time vod-buffer vod-drop-max-age check-live-pos-interval',
  'delete-pieces-before-playback-max-iterations delete-chunks-before-playback-max-iterations',
  // Rates and peers
  'download-limit upload-limit max-download-speed max-upload-speed max-connections max-peers max-peers-limit',
  'max-upload-slots min-upload-slots fix-upload-slots-interval wanted-slots-factor',
  'startup-slots-factor startup-upload-slots startup-max-peers',
  'upload-to download-from monitor-node-ip ip-filter-config user-agent',
  // Logs and reports
  'log-stdout-level log-stderr-level log-level log-file log-file-mode log-max-size log-backup-count log-modules log-debug',
  'stats-report-interval sync-regular-interval sync-error-interval',
);

/** Prefixes of tuning options, which all have a value. */
export const VALUE_OPTION_PREFIXES = ['core-', 'webrtc-', 'slots-manager-'];

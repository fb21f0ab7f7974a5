/** Starts the filter in front of Docker. In the image: `docker/start.mjs docker-filter`. */
import 'reflect-metadata';
import { createLog, runService, settingsOrExit } from '@acexy/service-kit';
import { LogSettings } from '../app/log-settings.js';
import { dockerEndpoint } from '../runtime/docker/docker-endpoint.js';
import { DockerSettings } from '../runtime/docker/docker-settings.js';
import { DockerFilter } from './docker-filter.js';
import { DOCKER_FILTER_SETTINGS, DockerFilterSettings, rulesOf } from './docker-filter-settings.js';

const settings = settingsOrExit(DOCKER_FILTER_SETTINGS);
const { logLevel: level, logFormat: format } = settings.of(LogSettings);
const { dockerHost, dockerCertPath } = settings.of(DockerSettings);
const log = createLog({ service: 'docker-filter', level, format });
const endpoint = dockerEndpoint(dockerHost, dockerCertPath);
const rules = rulesOf(settings);

log.info('filter rules', {
  docker: endpoint.name,
  images: [rules.targetImage, ...rules.otherImages],
  network: rules.network,
  vpn_containers: rules.vpnContainers,
});
await runService(new DockerFilter(endpoint, rules, log), {
  listen: settings.of(DockerFilterSettings).listen,
  portSetting: 'DOCKER_FILTER_LISTEN_ADDR',
  log,
});

/** Labels of the engines we manage. After a restart the orchestrator adopts engines by these labels. */

/** On every engine, whatever CONTAINER_LABEL is: operators filter by it. */
export const ENGINE_LABEL = 'acestream-orchestrator';
/** Installation that owns the engine, when several share one Docker Engine. */
export const INSTALLATION_LABEL = 'acestream-orchestrator.installation';
/** Hash of the settings that the engine was made from. */
export const BLUEPRINT_LABEL = 'acestream-orchestrator.blueprint';
/** On the containers of `DockerLease`: id and name of the orchestrator that created it, separated by a space. */
export const HOLDER_LABEL = 'acestream-orchestrator.holder';
/** Name of the VPN container whose network the engine shares. */
export const VPN_LABEL = 'acestream-orchestrator.vpn';
/** Port that the VPN forwarded to the engine when it was started. */
export const VPN_PORT_LABEL = 'acestream-orchestrator.vpn-port';

/** Version of the program in an image (OCI annotation). */
export const IMAGE_VERSION_LABEL = 'org.opencontainers.image.version';

/**
 * Parses CONTAINER_LABEL: `key=value`, or a key alone, whose value is then empty, as in Docker.
 * @throws RangeError
 */
export function parseManagementLabel(text: string): { key: string; value: string } {
  const [key, ...value] = text.split('=');
  if (!/^[\w.\-/]+$/.test(key.trim())) throw new RangeError('must be a label such as orchestrator.managed=acestream');
  return { key: key.trim(), value: value.join('=').trim() };
}

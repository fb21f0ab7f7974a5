/** Labels that say whose engine it is; adoption after a restart stands on them. */

/** Every engine bears it, whatever CONTAINER_LABEL says: operators filter by it. */
export const ENGINE_LABEL = 'acestream-orchestrator';
/** Whose engine it is where several installations share one Docker Engine. */
export const INSTALLATION_LABEL = 'acestream-orchestrator.installation';
/** Name of the VPN container whose network it shares. */
export const VPN_LABEL = 'acestream-orchestrator.vpn';
/** The port that the VPN forwarded to it when it was started. */
export const VPN_PORT_LABEL = 'acestream-orchestrator.vpn-port';

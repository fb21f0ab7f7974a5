/** Injection tokens of dependencies that are interfaces. */
import type { EngineAddress, EngineClient } from '@acexy/engine-client';

/** ProxyIdentity */
export const PROXY_IDENTITY = Symbol('PROXY_IDENTITY');
/** OrchestratorClient, or null without ACEXY_ORCH_URL. */
export const ORCHESTRATOR_CLIENT = Symbol('ORCHESTRATOR_CLIENT');
/** EngineClients */
export const ENGINE_CLIENTS = Symbol('ENGINE_CLIENTS');

/** The client of the engine at an address. */
export type EngineClients = (address: EngineAddress) => EngineClient;

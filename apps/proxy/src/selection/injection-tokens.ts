/** Injection tokens of dependencies that are interfaces. */
import type { EngineAddress, EngineClient } from '@acexy/engine-client';
import type { OrchestratorClient } from '@acexy/orchestrator-client';
import type { Log } from '@acexy/service-kit';
import type { Clock } from '@acexy/service-kit/primitives';
import type { OrchestratorLink } from './orchestrator-link.js';
import type { ProxyIdentity } from './proxy-identity.js';

/** OrchestratorContext, or null without ACEXY_ORCH_URL. */
export const ORCHESTRATOR = Symbol('ORCHESTRATOR');
/** EngineSelector of a worker, which asks the front for engines; null where this process selects them itself. */
export const FRONT_SELECTOR = Symbol('FRONT_SELECTOR');
/** Number of processes that share the streams of this proxy. */
export const PROCESS_COUNT = Symbol('PROCESS_COUNT');
/** EngineClients */
export const ENGINE_CLIENTS = Symbol('ENGINE_CLIENTS');

/** What everything that calls the orchestrator needs. */
export interface OrchestratorContext {
  client: OrchestratorClient;
  link: OrchestratorLink;
  identity: ProxyIdentity;
  clock: Clock;
  log: Log;
  /** For jitter: from 0 to below 1. */
  random: () => number;
}

/** The client of the engine at an address. */
export type EngineClients = (address: EngineAddress) => EngineClient;

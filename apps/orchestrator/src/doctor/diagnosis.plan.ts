/** All checks, causes before their effects: what is wrong first is to be mended first. */
import type { Check } from './check.js';
import { containersAreWell, dockerAnswers, dockerKeepsUp, imageIsThere, networkIsThere } from './checks/docker.plan.js';
import { apiIsFast, streamsStart, viewersKeepUp } from './checks/load.plan.js';
import {
  clockIsRight,
  disksHaveRoom,
  filesSuffice,
  memorySuffices,
  nodeIsNewEnough,
  portsAreOurs,
  processorsKeepUp,
} from './checks/machine.plan.js';
import { breakerIsClosed, enginesAreAvailable, enginesAreHealthy, provisioningIsFast, rateLimitFits } from './checks/pool.plan.js';
import { databaseWorks, orchestratorIsReady, proxyIsReady, servicesFindEachOther, versionsAgree } from './checks/services.plan.js';
import { keyIsThere, poolFitsItsPorts, settingsAreRight, timeoutsLeaveTime } from './checks/settings.plan.js';
import { vpnIsUp } from './checks/vpn.plan.js';
import type { Facts } from './facts.js';
import type { Verdict } from './verdict.js';

export const CHECKS: readonly Check[] = [
  ...[settingsAreRight, keyIsThere, nodeIsNewEnough, clockIsRight, disksHaveRoom, memorySuffices, processorsKeepUp, filesSuffice],
  ...[portsAreOurs, poolFitsItsPorts, dockerAnswers, dockerKeepsUp, networkIsThere, imageIsThere, containersAreWell, vpnIsUp],
  ...[orchestratorIsReady, databaseWorks, proxyIsReady, servicesFindEachOther, versionsAgree, timeoutsLeaveTime],
  ...[enginesAreAvailable, breakerIsClosed, provisioningIsFast, rateLimitFits, enginesAreHealthy],
  ...[apiIsFast, streamsStart, viewersKeepUp],
];

export type Diagnosis = Verdict & Pick<Check, 'id' | 'asks'>;

export function diagnose(facts: Facts): Diagnosis[] {
  return CHECKS.flatMap(({ id, asks, look }) => look(facts).map((verdict) => ({ id, asks, ...verdict })));
}

/** 0: nothing is wrong, warnings or not; 1: something is. */
export function exitCode(diagnoses: readonly Diagnosis[]): 0 | 1 {
  return diagnoses.some(({ state }) => state === 'wrong') ? 1 : 0;
}

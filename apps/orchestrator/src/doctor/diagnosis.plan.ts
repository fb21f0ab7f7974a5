/** All checks, causes before effects, so that the first problem is the first to fix. */
import type { Check } from './check.js';
import { containersAreHealthy, dockerAnswers, dockerKeepsUp, imageExists, networkExists } from './checks/docker.plan.js';
import { apiIsFast, streamsStart } from './checks/load.plan.js';
import {
  clockIsRight,
  disksHaveSpace,
  openFilesSuffice,
  memorySuffices,
  nodeIsNewEnough,
  portsAreAvailable,
  processorsKeepUp,
} from './checks/machine.plan.js';
import { breakerIsClosed, enginesAreAvailable, enginesAreHealthy, provisioningIsFast, rateLimitFits } from './checks/pool.plan.js';
import { databaseIsSmall, orchestratorIsReady, proxyIsReady, servicesFindEachOther, versionsAgree } from './checks/services.plan.js';
import { apiKeyIsSet, poolFitsItsPorts, settingsAreValid, timeoutsAreLongEnough } from './checks/settings.plan.js';
import { vpnIsUp } from './checks/vpn.plan.js';
import type { Facts } from './facts.js';
import type { Verdict } from './verdict.js';

export const CHECKS: readonly Check[] = [
  ...[settingsAreValid, apiKeyIsSet, nodeIsNewEnough, clockIsRight, disksHaveSpace, memorySuffices, processorsKeepUp, openFilesSuffice],
  ...[portsAreAvailable, poolFitsItsPorts, dockerAnswers, dockerKeepsUp, networkExists, imageExists, containersAreHealthy, vpnIsUp],
  ...[orchestratorIsReady, databaseIsSmall, proxyIsReady, servicesFindEachOther, versionsAgree, timeoutsAreLongEnough],
  ...[enginesAreAvailable, breakerIsClosed, provisioningIsFast, rateLimitFits, enginesAreHealthy],
  ...[apiIsFast, streamsStart],
];

export type Diagnosis = Verdict & Pick<Check, 'id' | 'question'>;

export function diagnose(facts: Facts): Diagnosis[] {
  return CHECKS.flatMap(({ id, question, look }) => look(facts).map((verdict) => ({ id, question, ...verdict })));
}

/** 1 if something is wrong, else 0, also with warnings. */
export function exitCode(diagnoses: readonly Diagnosis[]): 0 | 1 {
  return diagnoses.some(({ state }) => state === 'wrong') ? 1 : 0;
}

import { type Check, type Verdict, verdictsOf } from './check.js';
import { DOCKER_CHECKS } from './checks/docker.plan.js';
import { LOAD_CHECKS } from './checks/load.plan.js';
import { MACHINE_CHECKS } from './checks/machine.plan.js';
import { POOL_CHECKS } from './checks/pool.plan.js';
import { SERVICE_CHECKS } from './checks/services.plan.js';
import { SETTINGS_CHECKS } from './checks/settings.plan.js';
import { VPN_CHECKS } from './checks/vpn.plan.js';
import type { Facts } from './facts.js';

/** All checks, causes before effects, so that the first problem is the first to fix. */
export const CHECKS: readonly Check[] = [
  ...SETTINGS_CHECKS,
  ...MACHINE_CHECKS,
  ...DOCKER_CHECKS,
  ...VPN_CHECKS,
  ...SERVICE_CHECKS,
  ...POOL_CHECKS,
  ...LOAD_CHECKS,
];

export type Diagnosis = Verdict & Pick<Check, 'id' | 'question'>;

export function diagnose(facts: Facts): Diagnosis[] {
  return CHECKS.flatMap(({ id, question, look }) => judge(look, facts).map((verdict) => ({ id, question, ...verdict })));
}

/** The verdicts of a check for all replicas of the proxy: the problems of any, else the verdict for the first. */
function judge(look: Check['look'], facts: Facts): Verdict[] {
  const replicas = [facts.proxy, ...facts.otherProxies];
  const found = replicas.map((proxy) => ({ proxy, verdicts: verdictsOf(look({ ...facts, proxy })) }));
  const problems = new Map<string, Verdict>();
  for (const { proxy, verdicts } of found)
    for (const verdict of verdicts.filter(isProblem)) {
      const ofAll = found.every((each) => each.verdicts.some(({ says }) => says === verdict.says));
      const says = ofAll || verdict.says.includes(proxy.url) ? verdict.says : `${proxy.url}: ${verdict.says}`;
      problems.set(says, { ...verdict, says });
    }
  return problems.size > 0 ? [...problems.values()] : found[0].verdicts;
}

const isProblem = ({ state }: Verdict): boolean => state === 'wrong' || state === 'warning';

/** 1 if something is wrong, else 0, also with warnings. */
export function exitCode(diagnoses: readonly Diagnosis[]): 0 | 1 {
  return diagnoses.some(({ state }) => state === 'wrong') ? 1 : 0;
}

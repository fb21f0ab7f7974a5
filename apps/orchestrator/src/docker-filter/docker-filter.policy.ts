/**
 * Decides which calls of the orchestrator reach Docker, and in which form. Pure. docs/security.md says what the filter allows, and what remains
 * possible for somebody who controls the orchestrator.
 */
import { isObject, type JsonObject, parseObject } from '@acexy/service-kit/primitives';
import { IMAGE_VERSION_LABEL, INSTALLATION_LABEL } from '../runtime/engine-labels.js';
import {
  type CreateRules,
  createProblem,
  imageRefusal,
  installationOf,
  isAllowedImage,
  sharedNetworks,
} from './container-create.policy.js';
import { type DockerCall, parseDockerCall, pathOf } from './docker-call.plan.js';

/** Events that the orchestrator reads. Others would show the commands that run in Gluetun. */
const EVENTS = new Set(['create', 'start', 'die', 'destroy', 'pause', 'unpause', 'rename', 'health_status']);
/** A reply starts within this time, or within this time after a container had to stop. */
const CALL_LIMIT_MS = 60_000;

export interface FilterRules extends CreateRules {
  /** The installation that the filter serves; null until the first call that names one. */
  installation: string | null;
}

export interface FilterRequest {
  method: string;
  url: string;
  body: string;
}

/** What happens with a call. */
export type Plan =
  | { kind: 'deny'; reason: string }
  | Forward
  /** Look the container up, then continue with what Docker says about it. */
  | { kind: 'look up'; container: string; then: (found: JsonObject) => Plan }
  | { kind: 'reply'; body: JsonObject };

export interface Forward {
  kind: 'forward';
  method: string;
  path: string;
  body?: string;
  /** Time until the reply starts. */
  limitMs: number;
  /** Which fields of the reply are passed on; all of them if absent. */
  fields?: readonly string[];
  /** The installation that the call names. */
  installation?: string;
}

const deny = (reason: string): Plan => ({ kind: 'deny', reason });

export function planCall({ method, url, body }: FilterRequest, rules: FilterRules): Plan {
  const call = parseDockerCall(method, url);
  if (typeof call === 'string') return deny(call);
  switch (call.call) {
    case 'GET /_ping':
    case 'GET /version':
      return forward(call);
    case 'GET /info':
      return { ...forward(call), fields: ['MemTotal', 'NCPU', 'ServerVersion', 'SystemTime'] };
    case 'GET /containers/json':
      return planList(call, rules);
    case 'GET /events':
      return planEvents(call, rules);
    case 'GET /images/{image}/json':
      return isAllowedImage(call.subject, rules) ? forward(call) : deny(imageRefusal(call.subject, rules));
    case 'POST /images/create':
      return planPull(call, rules);
    case 'GET /networks/{network}':
      if (!sharedNetworks(rules).includes(call.subject))
        return deny(`network ${call.subject} is not DOCKER_NETWORK (${rules.network ?? 'not set'})`);
      return { ...forward(call), fields: ['Name', 'Id', 'Driver', 'Scope'] };
    case 'POST /containers/create':
      return planCreate(call, body, rules);
    case 'GET /containers/{id}/json':
      return { kind: 'look up', container: call.subject, then: (found) => planInspection(call.subject, found, rules) };
    case 'POST /containers/{id}/start':
    case 'POST /containers/{id}/stop':
    case 'POST /containers/{id}/restart':
    case 'DELETE /containers/{id}':
      return { kind: 'look up', container: call.subject, then: (found) => planAction(call, found, rules) };
    default:
      return call.call satisfies never;
  }
}

function forward(call: DockerCall, query: DockerCall['query'] = call.query, subject = call.subject): Forward {
  const method = call.call.slice(0, call.call.indexOf(' '));
  const stopMs = Number(query.t ?? 0) * 1000;
  return { kind: 'forward', method, path: pathOf(call, subject, query), limitMs: stopMs + CALL_LIMIT_MS };
}

/** Only containers of the installation are listed, whatever the caller asks for. */
function planList(call: DockerCall, rules: FilterRules): Plan {
  const filters = parseFilters(call.query.filters);
  if (filters === null) return deny('filters must be an object of lists of texts');
  const unknown = Object.keys(filters).find((name) => name !== 'label' && name !== 'name');
  if (unknown !== undefined) return deny(`the filter ${unknown} of a list is not allowed`);
  return withInstallation(call, filters, rules);
}

/** Events of containers of the installation, or of the named Gluetun containers. */
function planEvents(call: DockerCall, rules: FilterRules): Plan {
  const { type = [], event = [], container, ...others } = parseFilters(call.query.filters) ?? {};
  if (type.join() !== 'container') return deny('events of other things than containers are not allowed');
  const unknown = event.find((name) => !EVENTS.has(name));
  if (event.length === 0 || unknown !== undefined) return deny(`events ${unknown ?? 'without a list of their names'} are not allowed`);
  const unknownFilter = Object.keys(others).find((name) => name !== 'label');
  if (unknownFilter !== undefined) return deny(`the filter ${unknownFilter} of events is not allowed`);
  if (container === undefined) return withInstallation(call, { type, event, ...others }, rules);
  const foreign = container.find((name) => !rules.vpnContainers.includes(name));
  if (container.length === 0 || foreign !== undefined)
    return deny(`events of container ${foreign ?? '(none)'} are not allowed: it is not in GLUETUN_CONTAINER_NAME`);
  return forward(call, { filters: JSON.stringify({ type, event, container }) });
}

function withInstallation(call: DockerCall, filters: Record<string, string[]>, rules: FilterRules): Plan {
  const { label = [] } = filters;
  const named = label.find((text) => text.startsWith(`${INSTALLATION_LABEL}=`))?.slice(INSTALLATION_LABEL.length + 1);
  const problem = installationProblem(named, rules);
  if (problem !== null) return deny(problem);
  const installation = named ?? rules.installation;
  const own = installation === null ? INSTALLATION_LABEL : `${INSTALLATION_LABEL}=${installation}`;
  const all = { ...filters, label: [...new Set([...label, own])] };
  return { ...forward(call, { ...call.query, filters: JSON.stringify(all) }), ...(named !== undefined && { installation: named }) };
}

function planPull(call: DockerCall, rules: FilterRules): Plan {
  const { fromImage = '', tag } = call.query;
  if (fromImage === '' || tag === undefined) return deny('a pull must name an image and its tag');
  const image = `${fromImage}${tag.includes(':') ? '@' : ':'}${tag}`;
  return isAllowedImage(image, rules) ? forward(call) : deny(imageRefusal(image, rules));
}

function planCreate(call: DockerCall, body: string, rules: FilterRules): Plan {
  const container = parseObject(body);
  if (container === null) return deny('the body of a create must be a JSON object');
  const problem = createProblem(container, rules) ?? installationProblem(installationOf(container), rules);
  if (problem !== null) return deny(problem);
  return { ...forward(call), body: JSON.stringify(container), installation: installationOf(container) };
}

/** Our containers are shown whole; of Gluetun and of the services in our compose project only their image, state and addresses. */
function planInspection(asked: string, found: JsonObject, rules: FilterRules): Plan {
  if (isOurs(found, rules)) return { kind: 'reply', body: found };
  const isService = rules.project !== null && projectOf(found) === rules.project;
  if (!isService && !rules.vpnContainers.includes(nameOf(found))) return deny(foreignRefusal(asked, rules));
  const { Id, Name, Created, State, Config, NetworkSettings } = found;
  const { Health, ...state } = isObject(State) ? State : {};
  const health = isObject(Health) && { Health: { Status: Health.Status } };
  const { Networks } = isObject(NetworkSettings) ? NetworkSettings : {};
  const { Image } = isObject(Config) ? Config : {};
  const Labels = { [IMAGE_VERSION_LABEL]: labelsOf(found).get(IMAGE_VERSION_LABEL) };
  return {
    kind: 'reply',
    body: { Id, Name, Created, State: { ...state, ...health }, Config: { Image, Labels }, NetworkSettings: { Networks } },
  };
}

/** The call goes to the id that was looked up: the name may belong to another container a moment later. Only `create` has a body. */
function planAction(call: DockerCall, found: JsonObject, rules: FilterRules): Plan {
  if (!isOurs(found, rules) || typeof found.Id !== 'string') return deny(foreignRefusal(call.subject, rules));
  return { ...forward(call, call.query, found.Id), installation: labelsOf(found).get(INSTALLATION_LABEL) };
}

function isOurs(found: JsonObject, rules: FilterRules): boolean {
  const installation = labelsOf(found).get(INSTALLATION_LABEL);
  return installation !== undefined && installationProblem(installation, rules) === null;
}

const PROJECT_LABEL = 'com.docker.compose.project';

/** Compose project of an inspected container. */
export function projectOf(found: JsonObject): string | null {
  return labelsOf(found).get(PROJECT_LABEL) ?? null;
}

function labelsOf({ Config }: JsonObject): Map<string, string> {
  const labels = isObject(Config) && isObject(Config.Labels) ? Object.entries(Config.Labels) : [];
  return new Map(labels.filter((label): label is [string, string] => typeof label[1] === 'string' && label[1] !== ''));
}

function nameOf({ Name }: JsonObject): string {
  return String(Name).replace(/^\//, '');
}

function foreignRefusal(container: string, { installation }: FilterRules): string {
  return `container ${container} has not the label ${INSTALLATION_LABEL}=${installation ?? '…'}`;
}

function installationProblem(named: string | undefined, { installation }: FilterRules): string | null {
  if (named === undefined || installation === null || named === installation) return null;
  return `the filter serves installation ${installation} since its start, not ${named}: restart the filter if the database of the orchestrator was replaced`;
}

function parseFilters(text: string | undefined): Record<string, string[]> | null {
  const filters = text === undefined ? {} : parseObject(text);
  const isList = (list: unknown): boolean => Array.isArray(list) && list.every((item) => typeof item === 'string');
  return filters && Object.values(filters).every(isList) ? (filters as Record<string, string[]>) : null;
}

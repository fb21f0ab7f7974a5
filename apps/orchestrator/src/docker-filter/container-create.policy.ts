/** Judges the body of `POST /containers/create`. Pure. Every field is on a list: a field of a newer Docker is refused until it is added here. */
import { isObject, type JsonObject } from '@acexy/service-kit/primitives';
import { isIP } from 'node:net';
import { SPEC_LABEL } from '../runtime/docker/docker-container.plan.js';
import { INSTALLATION_LABEL } from '../runtime/engine-labels.js';

/** What the settings allow. */
export interface CreateRules {
  /** TARGET_IMAGE. */
  targetImage: string;
  /** ALLOWED_IMAGES. */
  otherImages: readonly string[];
  /** DOCKER_NETWORK; null: Docker's default bridge. */
  network: string | null;
  /** Compose project of the filter, which prefixes the name of its network; null outside compose. */
  project: string | null;
  /** Gluetun containers whose network engines may join. */
  vpnContainers: readonly string[];
}

/** @returns what is wrong with the value of the field, as a sentence, or null */
type Check = (value: unknown, field: string, rules: CreateRules) => string | null;

const must =
  (isRight: (value: unknown) => boolean, form: string): Check =>
  (value, field) =>
    isRight(value) ? null : `${field} must be ${form}`;

const FIELDS: ReadonlyMap<string, Check> = new Map<string, Check>([
  ['Image', imageProblem],
  ['Env', must((value) => isListOf(value, isText), 'a list of texts')],
  ['Labels', labelsProblem],
  ['ExposedPorts', must((value) => isRecordOf(value, isPort, isEmpty), 'an object of ports')],
  [
    'HostConfig',
    (value, field, rules) => (isObject(value) ? fieldsProblem(value, HOST_FIELDS, rules, `${field}.`) : `${field} must be an object`),
  ],
]);

const HOST_FIELDS: ReadonlyMap<string, Check> = new Map<string, Check>([
  ['PortBindings', must((value) => isRecordOf(value, isPort, (each) => isListOf(each, isBinding)), 'ports with their addresses')],
  ['RestartPolicy', must((value) => JSON.stringify(value) === '{"Name":"unless-stopped"}', 'unless-stopped')],
  ['LogConfig', must(isLogConfig, 'json-file with max-size and max-file')],
  ['NetworkMode', networkProblem],
  ['Memory', must((value) => Number.isSafeInteger(value) && (value as number) >= 0, 'a number of bytes')],
]);

/** @returns why the container may not be created, or null */
export function createProblem(body: JsonObject, rules: CreateRules): string | null {
  const network = isObject(body.HostConfig) ? body.HostConfig.NetworkMode : undefined;
  if (body.Image === undefined || body.Labels === undefined) return 'Image and Labels must be set';
  // Without it, the container would be in the default bridge, which other containers of this host use.
  if (network === undefined && rules.network !== null) return `HostConfig.NetworkMode must be ${networksOf(rules).join(' or ')}`;
  return fieldsProblem(body, FIELDS, rules, '');
}

/** The installation that the labels of a new container name. */
export function installationOf(body: JsonObject): string {
  return String((body.Labels as JsonObject)[INSTALLATION_LABEL]);
}

/** Whether Docker means one of the images by `name`. */
export function isAllowedImage(name: string, { targetImage, otherImages }: CreateRules): boolean {
  return [targetImage, ...otherImages].some((image) => fullName(image) === fullName(name));
}

/** Names that DOCKER_NETWORK may have in Docker. The host's network, or that of another container, is never one, whatever the setting is. */
export function sharedNetworks({ network, project }: CreateRules): string[] {
  if (network === null || network === 'host' || network.includes(':')) return [];
  return project === null ? [network] : [network, `${project}_${network}`];
}

/** The refusal names the setting. */
export function imageRefusal(name: string, { targetImage, otherImages }: CreateRules): string {
  return `image ${name} is neither TARGET_IMAGE (${targetImage}) nor in ALLOWED_IMAGES (${otherImages.join(', ') || 'empty'}): add it to ALLOWED_IMAGES and restart the filter`;
}

function fieldsProblem(given: JsonObject, fields: ReadonlyMap<string, Check>, rules: CreateRules, prefix: string): string | null {
  for (const [name, value] of Object.entries(given)) {
    const check = fields.get(name);
    const problem = check ? check(value, prefix + name, rules) : `${prefix}${name} is not allowed`;
    if (problem !== null) return problem;
  }
  return null;
}

function imageProblem(value: unknown, field: string, rules: CreateRules): string | null {
  if (!isText(value)) return `${field} must be a text`;
  return isAllowedImage(value, rules) ? null : imageRefusal(value, rules);
}

/** `library/`, `docker.io/` and `:latest` are optional in Docker's names. */
function fullName(image: string): string {
  const short = image.replace(/^(?:index\.)?docker\.io\//, '').replace(/^library\//, '');
  const hasTag = short.includes('@') || short.lastIndexOf(':') > short.lastIndexOf('/');
  return hasTag ? short : `${short}:latest`;
}

function labelsProblem(value: unknown, field: string): string | null {
  if (!isRecordOf(value, () => true, isText)) return `${field} must be texts`;
  const missing = [INSTALLATION_LABEL, SPEC_LABEL].find((label) => !value[label]);
  return missing === undefined ? null : `${field} must have ${missing}`;
}

function networkProblem(value: unknown, field: string, rules: CreateRules): string | null {
  const allowed = networksOf(rules);
  if (isText(value) && allowed.includes(value)) return null;
  const right = allowed.length === 0 ? 'it must be absent' : `it must be ${allowed.join(' or ')}`;
  return `${field}=${JSON.stringify(value)} is not allowed: ${right} (DOCKER_NETWORK, GLUETUN_CONTAINER_NAME)`;
}

function networksOf(rules: CreateRules): string[] {
  return [...sharedNetworks(rules), ...rules.vpnContainers.map((name) => `container:${name}`)];
}

function isBinding(value: unknown): boolean {
  if (!isObject(value) || Object.keys(value).some((name) => name !== 'HostIp' && name !== 'HostPort')) return false;
  const { HostIp, HostPort } = value;
  return (HostIp === '' || (isText(HostIp) && isIP(HostIp) !== 0)) && isText(HostPort) && /^\d{1,5}$/.test(HostPort);
}

function isLogConfig(value: unknown): boolean {
  if (!isObject(value) || value.Type !== 'json-file' || Object.keys(value).length !== 2) return false;
  return isRecordOf(value.Config, (name) => name === 'max-size' || name === 'max-file', isText);
}

const isText = (value: unknown): value is string => typeof value === 'string';
const isPort = (text: string): boolean => /^\d{1,5}\/(?:tcp|udp)$/.test(text);
const isEmpty = (value: unknown): boolean => isObject(value) && Object.keys(value).length === 0;

function isListOf(value: unknown, isItem: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(isItem);
}

function isRecordOf(value: unknown, isKey: (key: string) => boolean, isItem: (item: unknown) => boolean): value is JsonObject {
  return isObject(value) && Object.entries(value).every(([key, item]) => isKey(key) && isItem(item));
}

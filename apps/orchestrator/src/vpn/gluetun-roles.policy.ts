/**
 * Which role file a version of Gluetun can read. Gluetun does not start if the file names a route that its version does not know. The forwarded
 * ports are the only route of ours that differs: version 3.40 knows the older path only, 3.41 both, 4 is to know the newer one only. Sources: the list
 * of valid routes in Gluetun's internal/server/middlewares/auth/settings.go, and its issue 2995 for 3.40.3.
 */
import { IMAGE_VERSION_LABEL } from '../runtime/engine-labels.js';

const NEWER = 'GET /v1/portforward';
const OLDER = 'GET /v1/openvpn/portforwarded';

export interface RoleFileProblem {
  /** Route that the version does not know. */
  route: string;
  /** File in docker/gluetun for this version. */
  rightFile: string;
}

/**
 * @param version of the container, such as `v3.41.1`
 * @returns null if the version can read the file, or if the version is not known
 */
export function roleFileProblem(roleFile: string, version: string): RoleFileProblem | null {
  const [major, minor] = version.replace(/^v/, '').split('.').map(Number);
  if (!(major >= 0) || !(minor >= 0)) return null;
  const isBefore341 = major < 3 || (major === 3 && minor < 41);
  const unknown = isBefore341 ? NEWER : major >= 4 ? OLDER : null;
  if (unknown === null || !namesRoute(roleFile, unknown)) return null;
  return { route: unknown, rightFile: isBefore341 ? 'auth-config.v3.40.toml' : 'auth-config.toml' };
}

/** The version in the tag, such as `v3.41.1`; for a tag such as `latest` the version in the label of the image, else the tag. */
export function imageVersion(image: string, labels: Readonly<Record<string, string | undefined>>): string {
  const tag = image.slice(image.lastIndexOf(':') + 1);
  return [tag, labels[IMAGE_VERSION_LABEL]].find((text) => /^v?\d+\.\d/.test(text ?? '')) ?? tag;
}

function namesRoute(roleFile: string, route: string): boolean {
  return roleFile.split('\n').some((line) => line.split('#')[0].includes(`"${route}"`));
}

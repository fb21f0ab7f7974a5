/**
 * Parses CONTAINER_LABEL: `key=value`, or a key alone, whose value is then empty, as in Docker.
 * @throws RangeError
 */
export function parseManagementLabel(text: string): { key: string; value: string } {
  const [key, ...value] = text.split('=');
  if (!/^[\w.\-/]+$/.test(key.trim())) throw new RangeError('must be a label such as orchestrator.managed=acestream');
  return { key: key.trim(), value: value.join('=').trim() };
}

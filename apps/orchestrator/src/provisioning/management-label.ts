/**
 * CONTAINER_LABEL as a label: `key=value`; a lone key is one with an empty value, as Docker has it.
 * @throws RangeError that says what would be right
 */
export function parseManagementLabel(text: string): { key: string; value: string } {
  const [key, ...value] = text.split('=');
  if (!/^[\w.\-/]+$/.test(key.trim())) throw new RangeError('must be a label such as orchestrator.managed=acestream');
  return { key: key.trim(), value: value.join('=').trim() };
}

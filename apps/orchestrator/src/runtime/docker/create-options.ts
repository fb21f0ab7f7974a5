import type { ContainerCreateOptions } from 'dockerode';

/** Options of dockerode that send only the name in the URL. It would write the whole body there too. */
export function createOptions(
  { name, ...body }: ContainerCreateOptions & { name: string },
  abortSignal: AbortSignal,
): ContainerCreateOptions {
  return { _query: { name }, _body: body, abortSignal } as ContainerCreateOptions;
}

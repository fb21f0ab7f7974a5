/** HTTP GET with a timeout. */
export interface Answer {
  status: number;
  text: string;
  /** Milliseconds until the complete reply. */
  ms: number;
  /** `Date` header, in milliseconds since the epoch. */
  date: number | null;
}

const LIMIT_MS = 5_000;

/** @throws Error whose message is a short reason */
export async function probe(url: string, key?: string): Promise<Answer> {
  const startedAt = performance.now();
  try {
    const response = await fetch(url, {
      headers: key === undefined ? {} : { Authorization: `Bearer ${key}` },
      signal: AbortSignal.timeout(LIMIT_MS),
      redirect: 'manual',
    });
    const text = await response.text();
    const date = Date.parse(response.headers.get('date') ?? '');
    return { status: response.status, text, ms: performance.now() - startedAt, date: Number.isNaN(date) ? null : date };
  } catch (error) {
    throw new Error(reasonOf(error), { cause: error });
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return `no reply within ${LIMIT_MS / 1000} s`;
  const { code } = (error.cause ?? {}) as { code?: string };
  switch (code) {
    case 'ECONNREFUSED':
      return 'nothing listens there (ECONNREFUSED)';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the host name cannot be resolved (${code})`;
    default:
      return code ?? error.message;
  }
}

/** The JSON object in the body; null if the status is not one of `statuses` or the body is something else. */
export function objectOf(answer: Answer, ...statuses: number[]): Record<string, unknown> | null {
  if (!statuses.includes(answer.status)) return null;
  try {
    const value: unknown = JSON.parse(answer.text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null; // another program answers on this port: the caller reports it
  }
}

/** Median duration of some sequential calls. */
export async function typicalMs(url: string, calls = 5): Promise<number> {
  const all: number[] = [];
  for (let call = 0; call < calls; call += 1) all.push((await probe(url)).ms);
  return all.sort((a, b) => a - b)[Math.floor(calls / 2)];
}

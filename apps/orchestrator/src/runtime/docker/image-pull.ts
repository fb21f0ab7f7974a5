import type { Log } from '@acexy/service-kit';
import type Docker from 'dockerode';

export type ImagePolicy = 'missing' | 'always' | 'never';

export type ImageState =
  { state: 'unknown' } | { state: 'pulling'; percent: number } | { state: 'present' } | { state: 'missing'; reason: string };

/** After a pull that failed; an operator may have mended the registry or the name meanwhile. */
const RETRY_MS = 30_000;
/** A pull that says nothing for so long is given up and begun again. */
const SILENCE_MS = 120_000;
const INSPECT_LIMIT_MS = 10_000;

interface PullProgress {
  id?: string;
  error?: string;
  progressDetail?: { current?: number; total?: number };
  status?: string;
}

/**
 * Gets the image of the engines in the background, once, outside every limit of provisioning, and says how far it is.
 * Failing is no end: it tries again until it is closed.
 */
export class ImagePull {
  private current: ImageState = { state: 'unknown' };
  private timer: NodeJS.Timeout | undefined;
  private readonly closed = new AbortController();
  private running: Promise<void> | null = null;

  constructor(
    private readonly docker: Docker,
    readonly image: string,
    private readonly policy: ImagePolicy,
    private readonly log: Log,
    /** Tries again by itself after a failure, and tells when the image is here; without it, one try each time it is asked for. */
    private readonly onPresent?: () => void,
  ) {}

  get status(): ImageState {
    return this.current;
  }

  /** Begins, or begins again where an earlier try failed; several calls are one. */
  begin(): void {
    if (this.closed.signal.aborted || this.running) return;
    clearTimeout(this.timer);
    this.running = this.attempt()
      .catch((error: unknown) => {
        if (this.closed.signal.aborted) return;
        const reason = error instanceof Error ? error.message : String(error);
        this.current = { state: 'missing', reason };
        this.log.error('image is not to be had', { image: this.image, reason });
        if (this.onPresent) this.timer = setTimeout(() => this.begin(), RETRY_MS);
      })
      .finally(() => (this.running = null));
  }

  async close(): Promise<void> {
    this.closed.abort();
    clearTimeout(this.timer);
    await this.running;
  }

  private async attempt(): Promise<void> {
    const present = await this.isPresent();
    if (present && this.policy !== 'always') return this.found();
    if (this.policy === 'never')
      throw new Error(`image ${this.image} is missing and IMAGE_PULL=never: load it with \`docker load\` or \`docker pull\``);
    this.log.info('pulling an image', { image: this.image });
    this.current = { state: 'pulling', percent: 0 };
    try {
      await this.pull();
    } catch (error) {
      // An older copy serves where a newer one cannot be had.
      if (!present) throw error;
      this.log.warn('the image could not be refreshed, the one that is here serves', {
        image: this.image,
        error: (error as Error).message,
      });
    }
    this.log.info('the image is here', { image: this.image });
    this.found();
  }

  private found(): void {
    this.current = { state: 'present' };
    this.onPresent?.();
  }

  private async isPresent(): Promise<boolean> {
    try {
      // The type of the options does not know the signal that every call takes.
      await this.docker.getImage(this.image).inspect({ abortSignal: this.limit(INSPECT_LIMIT_MS) } as Docker.ImageInspectOptions);
      return true;
    } catch (error) {
      if ((error as { statusCode?: number }).statusCode === 404) return false;
      throw error;
    }
  }

  private async pull(): Promise<void> {
    const quiet = new AbortController();
    const stream = await this.docker.pull(withTag(this.image), { abortSignal: AbortSignal.any([quiet.signal, this.closed.signal]) });
    const silence = setTimeout(() => quiet.abort(new Error(`the pull said nothing for ${SILENCE_MS / 1000} s`)), SILENCE_MS);
    const layers = new Map<string, number>();
    try {
      await new Promise<void>((resolve, reject) => {
        quiet.signal.addEventListener('abort', () => reject(quiet.signal.reason as Error));
        this.docker.modem.followProgress(
          stream,
          (error) => (error ? reject(error) : resolve()),
          (progress: PullProgress) => {
            silence.refresh();
            if (progress.error) reject(new Error(progress.error));
            note(layers, progress);
            const before = this.current.state === 'pulling' ? this.current.percent : 0;
            this.current = { state: 'pulling', percent: Math.max(before, percentOf(layers)) };
          },
        );
      });
    } finally {
      clearTimeout(silence);
    }
  }

  private limit(ms: number): AbortSignal {
    return AbortSignal.any([this.closed.signal, AbortSignal.timeout(ms)]);
  }
}

/**
 * How much of a layer is here, from 0 to 1. Docker names all layers first; their sizes it tells one by one. One that exists already is not pulled: counted,
 * it would be all there is, and make 100 percent, until the next one is named.
 */
function note(layers: Map<string, number>, { id, status, progressDetail }: PullProgress): void {
  if (id === undefined || status === undefined) return;
  switch (status) {
    case 'Pulling fs layer':
    case 'Waiting':
      layers.set(id, 0);
      break;
    case 'Downloading':
      layers.set(id, (progressDetail?.current ?? 0) / (progressDetail?.total || Infinity));
      break;
    case 'Verifying Checksum':
    case 'Download complete':
    case 'Extracting':
    case 'Pull complete':
      layers.set(id, 1);
      break;
    default: // "Already exists"; "Pulling from repository" and the like are about no layer.
  }
}

/** Every layer counts the same, whatever its size. */
function percentOf(layers: ReadonlyMap<string, number>): number {
  const here = [...layers.values()].reduce((sum, part) => sum + part, 0);
  return layers.size === 0 ? 0 : Math.floor((100 * here) / layers.size);
}

/** Without a tag Docker would pull every tag of the repository. */
function withTag(image: string): string {
  return /@|:[^/]*$/.test(image) ? image : `${image}:latest`;
}

import type { Log } from '@acexy/service-kit';
import { orAborted } from '@acexy/service-kit/primitives';
import type Docker from 'dockerode';

export type ImagePolicy = 'missing' | 'always' | 'never';

export type ImageState =
  { state: 'unknown' } | { state: 'pulling'; percent: number } | { state: 'present' } | { state: 'missing'; reason: string };

/** After a failed pull: the operator may have repaired the registry or the name. */
const RETRY_MS = 30_000;
/** A pull without progress for this long is aborted and repeated. */
const SILENCE_MS = 120_000;
const INSPECT_LIMIT_MS = 10_000;

interface PullProgress {
  id?: string;
  error?: string;
  progressDetail?: { current?: number; total?: number };
  status?: string;
}

/** Pulls one image in the background, outside every provisioning limit, and reports its progress. */
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
    /** Called when the image is local. With it a failed pull is repeated until `close`; without it every `begin` is one attempt. */
    private readonly onPresent?: () => void,
  ) {}

  get status(): ImageState {
    return this.current;
  }

  get isRunning(): boolean {
    return this.running !== null;
  }

  /** Starts an attempt, unless one is running. */
  begin(): void {
    if (this.closed.signal.aborted || this.running) return;
    clearTimeout(this.timer);
    this.running = this.attempt()
      .catch((error: unknown) => {
        if (this.closed.signal.aborted) return;
        const reason = error instanceof Error ? error.message : String(error);
        this.current = { state: 'missing', reason };
        this.log.error('image pull failed', { image: this.image, error: reason });
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
    if (!present || this.policy === 'always') await this.pull(present);
    this.current = { state: 'present' };
    this.onPresent?.();
  }

  private async isPresent(): Promise<boolean> {
    try {
      const abortSignal = AbortSignal.any([this.closed.signal, AbortSignal.timeout(INSPECT_LIMIT_MS)]);
      // The type of the options lacks the signal that every call accepts.
      await this.docker.getImage(this.image).inspect({ abortSignal } as Docker.ImageInspectOptions);
      return true;
    } catch (error) {
      if ((error as { statusCode?: number }).statusCode === 404) return false;
      throw error;
    }
  }

  private async pull(present: boolean): Promise<void> {
    if (this.policy === 'never')
      throw new Error(`image ${this.image} is missing and IMAGE_PULL=never: load it with \`docker load\` or \`docker pull\``);
    this.log.info('image pull started', { image: this.image });
    this.current = { state: 'pulling', percent: 0 };
    try {
      await this.download();
      this.log.info('image pull finished', { image: this.image });
    } catch (error) {
      if (!present) throw error;
      this.log.warn('image refresh failed, using local copy', { image: this.image, error: (error as Error).message });
    }
  }

  private async download(): Promise<void> {
    const silent = new AbortController();
    const stream = await this.docker.pull(withTag(this.image), { abortSignal: AbortSignal.any([silent.signal, this.closed.signal]) });
    const silence = setTimeout(() => silent.abort(new Error(`the image pull made no progress for ${SILENCE_MS / 1000} s`)), SILENCE_MS);
    const layers = new Map<string, number>();
    try {
      const finished = new Promise<void>((resolve, reject) => {
        this.docker.modem.followProgress(
          stream,
          (error) => (error ? reject(error) : resolve()),
          (progress: PullProgress) => {
            silence.refresh();
            if (progress.error) reject(new Error(progress.error));
            noteProgress(layers, progress);
            const before = this.current.state === 'pulling' ? this.current.percent : 0;
            this.current = { state: 'pulling', percent: Math.max(before, percentOf(layers)) };
          },
        );
      });
      await orAborted(finished, silent.signal);
    } finally {
      clearTimeout(silence);
    }
  }
}

/**
 * Notes how much of a layer is local, from 0 to 1. Docker names all layers first, and their sizes one by one. Layers that were local before are not
 * counted: they would show 100 percent until the first missing layer is named.
 */
function noteProgress(layers: Map<string, number>, { id, status, progressDetail }: PullProgress): void {
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
    default: // "Already exists"; "Pulling from repository" and similar are not about a layer.
  }
}

/** Every layer counts the same, whatever its size. */
function percentOf(layers: ReadonlyMap<string, number>): number {
  const local = [...layers.values()].reduce((sum, part) => sum + part, 0);
  return layers.size === 0 ? 0 : Math.floor((100 * local) / layers.size);
}

/** Without a tag Docker would pull every tag of the repository. */
function withTag(image: string): string {
  const named = image.includes('@') || image.lastIndexOf(':') > image.lastIndexOf('/');
  return named ? image : `${image}:latest`;
}

import type { Log } from '@acexy/service-kit';
import { messageOf } from '@acexy/service-kit/primitives';
import type Docker from 'dockerode';
import type { Readable } from 'node:stream';
import { dockerLines } from './docker-lines.js';
import { PullProgress } from './pull-progress.js';

export type ImagePolicy = 'missing' | 'always' | 'never';

export type ImageState =
  | { state: 'unknown' }
  | { state: 'pulling'; percent: number }
  /** `reason`: why IMAGE_PULL=always got no newer image. */
  | { state: 'present'; reason?: string }
  | { state: 'missing'; reason: string };

/** After a failed pull: the operator may have repaired the registry or the name. */
const RETRY_MS = 30_000;
/** A pull without progress for this long is aborted and repeated. */
const SILENCE_MS = 120_000;
const INSPECT_LIMIT_MS = 10_000;

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
        const reason = messageOf(error);
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
    const reason = !present || this.policy === 'always' ? await this.pull(present) : null;
    this.current = { state: 'present', ...(reason !== null && { reason }) };
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

  /** @returns why the local copy could not be refreshed, or null */
  private async pull(present: boolean): Promise<string | null> {
    if (this.policy === 'never')
      throw new Error(`image ${this.image} is missing and IMAGE_PULL=never: load it with \`docker load\` or \`docker pull\``);
    this.log.info('image pull started', { image: this.image });
    this.current = { state: 'pulling', percent: 0 };
    try {
      await this.download();
      this.log.info('image pull finished', { image: this.image });
      return null;
    } catch (error) {
      if (!present || this.closed.signal.aborted) throw error;
      const { message } = error as Error;
      this.log.warn('image refresh failed, using local copy', { image: this.image, error: message });
      return `the local copy is used, because the pull failed: ${message}`;
    }
  }

  /** A reply that ends is no success: the image is inspected afterwards. */
  private async download(): Promise<void> {
    const progress = new PullProgress();
    const silent = new AbortController();
    const silence = setTimeout(() => silent.abort(new Error(`the image pull made no progress for ${SILENCE_MS / 1000} s`)), SILENCE_MS);
    try {
      const abortSignal = AbortSignal.any([silent.signal, this.closed.signal]);
      const reply = (await this.docker.pull(withTag(this.image), { abortSignal })) as Readable;
      for await (const line of dockerLines(reply)) {
        silence.refresh();
        progress.take(line);
        if (progress.failure !== null) throw new Error(progress.failure);
        this.current = { state: 'pulling', percent: progress.percent };
      }
    } catch (error) {
      throw silent.signal.aborted ? silent.signal.reason : error;
    } finally {
      clearTimeout(silence);
    }
    if (await this.isPresent()) return;
    throw new Error(`the pull ended and image ${this.image} is not there (Docker's last report: ${progress.lastStatus ?? 'none'})`);
  }
}

/** Without a tag Docker would pull every tag of the repository. */
function withTag(image: string): string {
  const named = image.includes('@') || image.lastIndexOf(':') > image.lastIndexOf('/');
  return named ? image : `${image}:latest`;
}

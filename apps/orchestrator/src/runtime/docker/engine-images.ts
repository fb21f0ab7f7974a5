import type { Log } from '@acexy/service-kit';
import type Docker from 'dockerode';
import { type EngineImage, NotPreparedError, RuntimeFailedError } from '../engine-runtime.js';
import type { ImageMissingError } from './docker-errors.js';
import { ImagePull, type ImagePolicy } from './image-pull.js';

/** Pulls of other images that are remembered. A caller can name any number of images. */
const MAX_NAMED = 16;

export interface EngineImagesOptions {
  docker: Docker;
  /** Image of engines that name none (TARGET_IMAGE). */
  target: string;
  policy: ImagePolicy;
  log: Log;
  /** Called when the target image is local. */
  onPrepared: () => void;
}

/** The images of engines: the target image is pulled at start, an image that a caller names when a start needs it. */
export class EngineImages {
  private readonly target: ImagePull;
  /** The pull that was used last comes last. */
  private readonly named = new Map<string, ImagePull>();

  constructor(private readonly options: EngineImagesOptions) {
    this.target = this.newPull(options.target, options.onPrepared);
  }

  open(): void {
    this.target.begin();
  }

  /** Docker is reachable again: repeats a failed pull of the target image at once. */
  retry(): void {
    if (this.target.status.state === 'missing') this.target.begin();
  }

  preparing(): string | null {
    const { image, status } = this.target;
    switch (status.state) {
      case 'present':
        return null;
      case 'unknown':
        return `checking whether image ${image} is present`;
      case 'pulling':
        return `image ${image} is being pulled: ${status.percent} %`;
      case 'missing':
        return status.reason;
      default:
        return status satisfies never;
    }
  }

  targetImage(): EngineImage {
    const { image: name, status } = this.target;
    const { percent = null, reason = null } = status as { percent?: number; reason?: string };
    return { name, state: status.state, percent, reason };
  }

  /** Starts the pull of a missing image. @returns the error for the caller; when an earlier pull failed, with its reason */
  pullMissing(cause: ImageMissingError, operation: string): Error {
    const pull = this.pullOf(cause.image);
    if (!pull)
      return new RuntimeFailedError(`${cause.message}, and ${MAX_NAMED} other images are being pulled: try again later`, { cause });
    const { status } = pull;
    pull.begin();
    if (status.state === 'missing') return new RuntimeFailedError(`${operation} failed: ${cause.message}: ${status.reason}`, { cause });
    if (this.options.policy === 'never')
      return new RuntimeFailedError(`${operation} failed: ${cause.message}, and IMAGE_PULL=never: load it with \`docker load\``, { cause });
    return new NotPreparedError(`${cause.message} yet: it is being pulled, try again`, { cause });
  }

  async close(): Promise<void> {
    await Promise.all([this.target, ...this.named.values()].map((pull) => pull.close()));
  }

  /** Null when too many pulls are running. */
  private pullOf(image: string): ImagePull | null {
    if (image === this.options.target) return this.target;
    const pull = this.named.get(image) ?? this.newPull(image);
    this.named.delete(image);
    if (this.named.size >= MAX_NAMED && !this.forgetOldest()) return null;
    this.named.set(image, pull);
    return pull;
  }

  private forgetOldest(): boolean {
    const oldest = [...this.named].find(([, pull]) => !pull.isRunning);
    return oldest !== undefined && this.named.delete(oldest[0]);
  }

  private newPull(image: string, onPresent?: () => void): ImagePull {
    const { docker, policy, log } = this.options;
    return new ImagePull(docker, image, policy, log, onPresent);
  }
}

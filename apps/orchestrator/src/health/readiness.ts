import { Injectable, type OnModuleDestroy } from '@nestjs/common';

/** How far the service has come, for `/health/ready`. */
@Injectable()
export class Readiness implements OnModuleDestroy {
  private firstRound = false;
  private ending = false;

  /** The pool was looked at and its first step taken. */
  reconciled(): void {
    this.firstRound = true;
  }

  onModuleDestroy(): void {
    this.ending = true;
  }

  get isReconciled(): boolean {
    return this.firstRound;
  }

  get isShuttingDown(): boolean {
    return this.ending;
  }
}

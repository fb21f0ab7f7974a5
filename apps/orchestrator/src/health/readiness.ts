import { Injectable, type OnModuleDestroy } from '@nestjs/common';

/** State of the service for `/health/ready`. */
@Injectable()
export class Readiness implements OnModuleDestroy {
  isReconciled = false;
  isShuttingDown = false;

  /** Call after the first round of the reconcile loop. */
  reconciled(): void {
    this.isReconciled = true;
  }

  onModuleDestroy(): void {
    this.isShuttingDown = true;
  }
}

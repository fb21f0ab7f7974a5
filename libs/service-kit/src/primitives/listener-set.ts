/** Functions that are called when something happens. A listener that throws does not stop the others. */
export class ListenerSet<T = void> {
  private readonly listeners = new Set<(event: T) => void>();

  /** @param onError gets what a listener throws. Default: `emit` throws the first error after it has called every listener. */
  constructor(private readonly onError?: (error: unknown) => void) {}

  /** @returns removes the listener */
  subscribe(listener: (event: T) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  emit(event: T): void {
    const errors: unknown[] = [];
    for (const listener of this.listeners) {
      try {
        listener(event);
      } catch (error) {
        if (this.onError) this.onError(error);
        else errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }
}

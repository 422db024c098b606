/** Draws at most once per frame, however often it is asked to; also in a hidden page. */
const GAP = 16;

export class DrawTimer {
  private timer: ReturnType<typeof setTimeout> | null = null;
  private drawn = -Infinity;

  constructor(private readonly draw: () => void) {}

  request(): void {
    const wait = Math.max(0, GAP - (performance.now() - this.drawn));
    this.timer ??= setTimeout(() => this.flush(), wait);
  }

  /** Draws now, if there is something to draw. */
  flush(): void {
    if (this.timer === null) return;
    this.cancel();
    this.drawn = performance.now();
    this.draw();
  }

  cancel(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }
}

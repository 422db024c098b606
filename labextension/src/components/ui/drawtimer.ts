/** Limits how often a component is drawn. */

/** Milliseconds between two drawings: about one frame of the screen. */
const GAP = 16;

/**
 * Draws at most once in a frame, however often it is asked to.
 *
 * It uses a timer and not an animation frame, since browsers stop those in hidden pages.
 */
export class DrawTimer {
  private timer: ReturnType<typeof setTimeout> | null = null;
  private drawn = -Infinity;

  constructor(private readonly draw: () => void) {}

  /** Asks for a drawing soon. */
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

  /** Drops the drawing that was asked for. */
  cancel(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }
}

/** A log as it is kept in the page: clean, in blocks of whole lines, bounded. Pure. */
import { cleanLog } from "./clean";

export const MOST_LINES = 5000;
export const MOST_CHARS = 1_000_000;
const MOST_LINE = 2000;

export interface Block {
  text: string;
  lines: number;
}

function bounded(line: string): string {
  if (line.length <= MOST_LINE) return line;
  return `${line.slice(0, MOST_LINE)} … (${line.length - MOST_LINE} more characters)`;
}

const cleaned = (text: string): string[] => cleanLog(text, MOST_CHARS).split("\n").map(bounded);

export class LogBuffer {
  readonly blocks: Block[] = [];
  /** Blocks that were dropped from the front; a view drops as many. */
  dropped = 0;
  private rest = "";
  private chars = 0;
  private lines = 0;

  /** Lines that are whole, and the one that is still being written. */
  get count(): number {
    return this.lines + (this.rest === "" ? 0 : 1);
  }

  get tail(): string {
    return this.rest === "" ? "" : cleaned(this.rest).join("\n");
  }

  get full(): boolean {
    return this.lines >= MOST_LINES || this.chars >= MOST_CHARS;
  }

  add(text: string): void {
    const all = this.rest + text;
    const cut = all.lastIndexOf("\n") + 1;
    // Of a line without an end only so much is kept as is ever shown.
    this.rest = all.slice(cut).slice(-MOST_CHARS);
    if (cut > 0) this.push(cleaned(all.slice(0, cut - 1)).slice(-MOST_LINES));
  }

  private push(lines: string[]): void {
    const text = `${lines.join("\n")}\n`;
    this.blocks.push({ text, lines: lines.length });
    this.lines += lines.length;
    this.chars += text.length;
  }

  /** Drops from the front what is too much. */
  trim(): void {
    while (this.blocks.length > 1 && (this.lines > MOST_LINES || this.chars > MOST_CHARS)) {
      const [gone] = this.blocks.splice(0, 1) as [Block];
      this.dropped += 1;
      this.lines -= gone.lines;
      this.chars -= gone.text.length;
    }
  }
}

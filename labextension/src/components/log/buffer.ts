/** A log as a page keeps it: readable, in blocks of whole lines, and bounded. */
import { cleanLog } from "./clean";

/** A page keeps at most so many lines and characters of a log. */
export const MOST_LINES = 5000;
/** See MOST_LINES. */
export const MOST_CHARS = 1_000_000;
/** Of a longer line only the first characters are shown. */
const MOST_IN_LINE = 2000;

/** Lines that came together, and that one element of the page shows. */
export interface Block {
  text: string;
  lines: number;
}

function bounded(line: string): string {
  if (line.length <= MOST_IN_LINE) return line;
  return `${line.slice(0, MOST_IN_LINE)} … (${line.length - MOST_IN_LINE} more characters)`;
}

const cleaned = (text: string): string[] => cleanLog(text, MOST_CHARS).split("\n").map(bounded);

/** The log of one attempt. Text is added at its end and may be dropped from its start. */
export class LogBuffer {
  readonly blocks: Block[] = [];
  /** How many blocks were dropped from the start; a view drops as many of its elements. */
  dropped = 0;
  /** The last line, as long as its end has not come. */
  private unfinished = "";
  private chars = 0;
  private lines = 0;

  /** How many lines there are, the unfinished one included. */
  get count(): number {
    return this.lines + Number(this.unfinished !== "");
  }

  /** The line whose end has not come yet, made readable. */
  get tail(): string {
    return this.unfinished === "" ? "" : cleaned(this.unfinished).join("\n");
  }

  /** Whether the page keeps as much as it may. */
  get full(): boolean {
    return this.lines >= MOST_LINES || this.chars >= MOST_CHARS;
  }

  /** Adds text that follows the text before it. */
  add(text: string): void {
    const all = this.unfinished + text;
    const end = all.lastIndexOf("\n") + 1;
    // Of a line that never ends, such as a progress bar, only the last characters are ever shown.
    this.unfinished = all.slice(end).slice(-MOST_CHARS);
    if (end > 0) this.push(cleaned(all.slice(0, end - 1)).slice(-MOST_LINES));
  }

  private push(lines: string[]): void {
    const text = `${lines.join("\n")}\n`;
    this.blocks.push({ text, lines: lines.length });
    this.lines += lines.length;
    this.chars += text.length;
  }

  /** Drops whole blocks from the start, until the rest is small enough or one block is left. */
  trim(): void {
    while (this.blocks.length > 1 && (this.lines > MOST_LINES || this.chars > MOST_CHARS)) {
      const [oldest] = this.blocks.splice(0, 1) as [Block];
      this.dropped += 1;
      this.lines -= oldest.lines;
      this.chars -= oldest.text.length;
    }
  }
}

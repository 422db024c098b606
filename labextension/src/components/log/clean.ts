/** Raw output of a job, made readable. */
import { withoutTerminalCodes } from "../ui/text";

/** Control characters but the tab and the end of a line. */
// eslint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f]/g;

/** A progress bar writes its line again after each carriage return: the last one counts. */
function lastState(line: string): string {
  const states = line.replace(/\r+$/, "").split("\r");
  return (states[states.length - 1] ?? "").replace(CONTROLS, "");
}

/** A log without terminal codes, and of each line its last state; at most `most` characters. */
export function cleanLog(text: string, most = 200_000): string {
  const end = text.length > most ? text.slice(-most) : text;
  return withoutTerminalCodes(end).split("\n").map(lastState).join("\n");
}

/** Log text. */
// eslint-disable-next-line no-control-regex
const TERMINAL_CODES =
  /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g;
// eslint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f]/g;

function lastState(line: string): string {
  const parts = line.replace(/\r+$/, "").split("\r");
  return (parts[parts.length - 1] ?? "").replace(CONTROLS, "");
}

/** A log without terminal codes; of a line written over again, only its last state. */
export function cleanLog(text: string, most = 200_000): string {
  const end = text.length > most ? text.slice(-most) : text;
  return end.replace(TERMINAL_CODES, "").split("\n").map(lastState).join("\n");
}

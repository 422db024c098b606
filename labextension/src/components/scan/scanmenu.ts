/** What can be done with a whole scan besides pausing and stopping it. */
import type { ScanInfo } from "../../wire";
import { copyText } from "../ui/clipboard";
import { t } from "../ui/i18n";
import type { MenuItem } from "../ui/popup";
import { full } from "../ui/text";
import type { Host } from "./host";

/** What the menu does; an action that is null is left out of it. */
export interface ScanMenuActions {
  host: Host;
  addTrials: (() => void) | null;
  replay: (() => void) | null;
  runnerLog: (() => void) | null;
  /** Shows a sentence to the user. */
  say(text: string): void;
}

async function copyFolder(scan: ScanInfo, say: (text: string) => void): Promise<void> {
  const copied = await copyText(scan.folder);
  const text = copied ? "Copied: %1" : "Folder: %1";
  say(t(text, full(scan.folder)));
}

/** The entries of the menu behind the three dots of a scan. */
export function scanMenuItems(scan: ScanInfo, actions: ScanMenuActions): MenuItem[] {
  const { host, addTrials, replay, runnerLog, say } = actions;
  const items: MenuItem[] = [];
  const { openScan } = host;
  if (openScan) items.push({ text: t("Open in a tab"), act: () => openScan.call(host, scan) });
  if (addTrials) items.push({ text: t("Add trials…"), act: addTrials });
  if (replay) items.push({ text: t("Replay…"), act: replay });
  if (runnerLog) items.push({ text: t("Runner log"), act: runnerLog });
  // A scan in a saved output has no folder on this machine.
  if (scan.folder) items.push({ text: t("Copy folder"), act: () => void copyFolder(scan, say) });
  return items;
}

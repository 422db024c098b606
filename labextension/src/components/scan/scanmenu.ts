/** What can be done with a whole scan, beside pausing and stopping it: the menu behind three dots. */
import type { ScanInfo } from "../../wire";
import { copyText } from "../ui/clipboard";
import { t } from "../ui/i18n";
import type { MenuItem } from "../ui/popup";
import { full } from "../ui/text";
import type { Host } from "./host";

export interface ScanMenuActions {
  host: Host;
  /** Null where nobody is there to command. */
  addTrials: (() => void) | null;
  replay: (() => void) | null;
  runnerLog: (() => void) | null;
  say(text: string): void;
}

async function copyFolder(scan: ScanInfo, say: (text: string) => void): Promise<void> {
  const copied = await copyText(scan.folder);
  say(copied ? t("Copied: %1", full(scan.folder)) : t("Folder: %1", full(scan.folder)));
}

export function scanMenuItems(scan: ScanInfo, menu: ScanMenuActions): MenuItem[] {
  const { host, addTrials, replay, runnerLog, say } = menu;
  const open = host.openScan;
  return [
    ...(open ? [{ text: t("Open in a tab"), act: () => open.call(host, scan) }] : []),
    ...(addTrials ? [{ text: t("Add trials…"), act: addTrials }] : []),
    ...(replay ? [{ text: t("Replay…"), act: replay }] : []),
    ...(runnerLog ? [{ text: t("Runner log"), act: runnerLog }] : []),
    ...(scan.folder ? [{ text: t("Copy folder"), act: () => void copyFolder(scan, say) }] : []),
  ];
}

/** Tells forms whose kernel keeps its scans where the server does not see them. */
import { ASK_HOME, type AskHome } from "../components/form/home";
import { t } from "../components/ui/i18n";
import { clip } from "../components/ui/text";
import type { Connection } from "./connection";
import type { Rest } from "./rest";

/** Compares the marks of two homes: the same path may be on two machines. */
async function compare(rest: Rest, connection: Connection, asked: AskHome): Promise<void> {
  const server = await rest.get<{ home: string; mark: string }>(["home"]);
  if (server.mark === asked.mark) return;
  const [kernel, here] = [clip(asked.home, 200), clip(server.home, 200)];
  const text = t("The kernel keeps its scans in %1, the server looks in %2.", kernel, here);
  const more = t("A scan is shown under its cell alone, and not in the panel.");
  asked.differs(`${text} ${more}`);
  connection.noteElsewhere(`${text} ${more}`);
}

/** Answers forms that ask. */
export function compareHomes(rest: Rest, connection: Connection): void {
  document.addEventListener(ASK_HOME, (event) => {
    const asked = (event as CustomEvent).detail as AskHome | null;
    if (typeof asked?.mark !== "string" || typeof asked.home !== "string") return;
    // A server that does not answer says nothing about where the scans are.
    void compare(rest, connection, asked).catch(() => undefined);
  });
}

/** The clipboard of the browser. */

/** Copies a text; returns false where the browser does not let this page copy. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** How the form asks the page around it to write a cell. */

/** The name of the event. Whoever writes the cell cancels the event, so that the form knows. */
export const WRITE_CELL = "gridgpu:write-cell";

/** The detail of the event: the text of the cell, and whether to run it. */
export interface WriteCell {
  text: string;
  run: boolean;
}

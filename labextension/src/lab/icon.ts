/** The icons of sidebar and tabs, in the colours of the theme. */
import { LabIcon } from "@jupyterlab/ui-components";

/** The class `jp-icon3` gives an icon the colour that the theme has for it. */
const drawn = (body: string): string =>
  '<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">' +
  `<g class="jp-icon3" fill="#616161">${body}</g></svg>`;

/** The icon of scans: a grid of points, one of which is the best. */
export const scansIcon = new LabIcon({
  name: "gridgpu:scans",
  svgstr: drawn(
    '<circle cx="5" cy="19" r="2"/><circle cx="12" cy="19" r="2"/><circle cx="19" cy="19" r="2"/>' +
      '<circle cx="5" cy="12" r="2"/><circle cx="12" cy="12" r="2"/><circle cx="5" cy="5" r="2"/>' +
      '<path d="M17 3l1.5 3.1 3.5.5-2.5 2.4.6 3.4-3.1-1.6-3.1 1.6.6-3.4L12 6.6l3.5-.5z"/>',
  ),
});

/** The icon of a job: a curve between two axes. */
export const jobIcon = new LabIcon({
  name: "gridgpu:job",
  svgstr: drawn('<path d="M3 20V4h2v14h16v2zM7 15l4-6 4 3 5-7 1.6 1.2L15.5 15l-4-3-2.8 4.2z"/>'),
});

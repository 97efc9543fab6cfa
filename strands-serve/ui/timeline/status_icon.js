// Icons of the status of a call. The status is also text, so they are decoration.

import { svgElement } from "../elements.js";

const SHAPES = {
  preparing: "M4 8h.01M8 8h.01M12 8h.01",
  running: "M8 2a6 6 0 1 1-6 6",
  waiting: "M6 4v8M10 4v8",
  done: "M3 8.5 6.5 12 13 4.5",
  failed: "M4 4l8 8M12 4l-8 8",
  denied: "M3.8 3.8l8.4 8.4M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2",
  refused: "M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2M5 8h6",
  cancelled: "M4 4h8v8H4z",
  unfinished: "M3 8h10",
};

/** @returns {SVGElement} */
export function statusIcon(status) {
  const icon = svgElement("svg", { viewBox: "0 0 16 16", focusable: "false" });
  icon.append(svgElement("path", { d: SHAPES[status] }));
  return icon;
}

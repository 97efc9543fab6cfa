// Elements of the widgets. Text becomes a text node, never markup.

const SVG = "http://www.w3.org/2000/svg";

/** Creates an element. */
export function element(name, className = "", text = "") {
  const created = document.createElement(name);
  if (className) created.className = className;
  if (text) created.textContent = text;
  return created;
}

/** Creates an element that the keyboard reaches, since it may scroll. */
export function scrollRegion(name, className, label) {
  const region = element(name, className);
  region.tabIndex = 0;
  region.setAttribute("role", "region");
  region.setAttribute("aria-label", label);
  return region;
}

/** Creates an element of an SVG image. */
export function svgElement(name, attributes) {
  const created = document.createElementNS(SVG, name);
  for (const [attribute, value] of Object.entries(attributes)) {
    created.setAttribute(attribute, typeof value === "number" ? String(Math.round(value * 100) / 100) : value);
  }
  return created;
}

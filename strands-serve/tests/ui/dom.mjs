// A document for the modules of the page, which expect one as a global.

import { JSDOM } from "jsdom";

const { window } = new JSDOM("<!doctype html><html lang=en><body></body></html>", { url: "https://agent.example/" });

for (const name of ["document", "Node", "Element", "HTMLElement", "Event", "KeyboardEvent", "MouseEvent", "getSelection"]) {
  globalThis[name] = window[name];
}

export { window };

/** Returns an element of the document with this content, attached so that focus works. */
export function attached(...nodes) {
  const element = document.createElement("div");
  element.append(...nodes);
  document.body.replaceChildren(element);
  return element;
}

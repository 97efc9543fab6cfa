// HTML of rendered Markdown, and of the examples of CommonMark, in a form in which both can be compared. It removes the
// differences that are there on purpose in every text: they are listed here.

const VOID = new Set(["br", "hr", "img", "input"]);

function isAllowed(address) {
  return URL.canParse(address) && /^(https?|mailto):$/.test(new URL(address).protocol);
}

/** Rendered Markdown as HTML: without what the page adds to elements. */
export function rendered(fragment) {
  const root = document.createElement("div");
  root.append(fragment.cloneNode(true));
  for (const heading of root.querySelectorAll("[class^=md-h]")) rename(heading, heading.className.slice(3));
  for (const block of root.querySelectorAll(".code-block")) {
    const pre = block.querySelector("pre");
    if (block.dataset.language) pre.firstChild.setAttribute("class", `language-${block.dataset.language}`);
    block.replaceWith(pre);
  }
  for (const region of root.querySelectorAll(".md-table")) region.replaceWith(region.firstChild);
  return serialized(root);
}

/** HTML of an example of CommonMark, with the differences that are there on purpose. */
export function expected(html) {
  const root = document.createElement("div");
  // The examples are constants of a pinned package.
  const parsed = new window.DOMParser().parseFromString(html, "text/html");
  root.append(...parsed.body.childNodes);
  for (const image of root.querySelectorAll("img")) {
    // Images are links.
    const link = document.createElement("a");
    link.setAttribute("href", image.getAttribute("src"));
    link.textContent = image.getAttribute("alt");
    image.replaceWith(link);
  }
  for (const link of root.querySelectorAll("a")) {
    // Links that are relative or of another protocol are text. There are no titles, and no links in links.
    if (link.parentElement.closest("a") || !isAllowed(link.getAttribute("href"))) link.replaceWith(...link.childNodes);
    else if (!link.hasChildNodes()) link.textContent = new URL(link.href).href;
  }
  return serialized(root);
}

import { window } from "./dom.mjs";

function rename(element, name) {
  const renamed = document.createElement(name);
  renamed.append(...element.childNodes);
  element.replaceWith(renamed);
}

/** CommonMark encodes brackets in addresses, which browsers don't need. */
function decodeBrackets(address) {
  return address.replaceAll("%5B", "[").replaceAll("%5D", "]");
}

/** Serializes the elements, and of their attributes those that are compared. White space between blocks does not count. */
function serialized(root) {
  root.normalize();
  let html = "";
  for (const node of root.childNodes) {
    if (node.nodeType === 3) {
      html += node.data.replace(/[&<>]/g, (char) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[char]);
      continue;
    }
    const name = node.localName ?? node.nodeName;
    const attributes = ["href", "start", "class"].flatMap((attribute) => {
      let value = node.getAttribute?.(attribute) ?? null;
      if (value === null || (attribute === "class" && name !== "code")) return [];
      if (attribute === "href" && URL.canParse(value)) value = decodeBrackets(new URL(value).href);
      return [` ${attribute}="${value}"`];
    });
    html += `<${name}${attributes.join("")}>`;
    if (name === "br" && node.nextSibling?.nodeType === 3) node.nextSibling.data = node.nextSibling.data.replace(/^\n/, "");
    if (!VOID.has(name)) html += `${serialized(node)}</${name}>`;
  }
  const blocks = "p|ul|ol|li|blockquote|h[1-6]|hr|pre|table|thead|tbody|tr|td|th";
  return html.replace(new RegExp(`\\s*(</?(?:${blocks})(?: [^>]*)?>)\\s*`, "g"), (found, tag) =>
    // White space in front of a closing and behind an opening `pre` belongs to the code.
    tag === "<pre>" ? found.trimStart() : tag === "</pre>" ? found.trimEnd() : tag);
}

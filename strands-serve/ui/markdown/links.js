// Destinations of links, and the addresses that become links.

import { ESCAPABLE, unescapeText } from "./entities.js";

const PROTOCOLS = new Set(["http:", "https:", "mailto:"]);
const MAX_PARENTHESES = 8;
const [SPACE, OPENING, CLOSING, BACKSLASH, DELETE] = [0x20, 0x28, 0x29, 0x5c, 0x7f];
const SPACES = /[ \t]*\n?[ \t]*/y;
const ANGLED = /<((?:[^<>\n\\]|\\.)*)>/y;
const TITLES = { '"': /"(?:[^"\\]|\\[\s\S])*"/y, "'": /'(?:[^'\\]|\\[\s\S])*'/y, "(": /\((?:[^()\\]|\\[\s\S])*\)/y };
const BARE = /https?:\/\/[^\s<>[\]"`/][^\s<>[\]"`]*/y;
const TRAILING = new Set("?!.,:;*_~'\"");

/**
 * Returns the address of a link, or `null` if it may not be one: it is relative, of another protocol such as `javascript:`,
 * or has a user name, which can look like a host. The browser's own parser decides.
 *
 * @param {string} address
 * @returns {string | null}
 */
export function safeAddress(address) {
  // A browser reads a backslash as a slash, so the text could show another host.
  const encoded = address.replaceAll("\\", "%5C");
  if (!URL.canParse(encoded)) return null;
  const url = new URL(encoded);
  return PROTOCOLS.has(url.protocol) && !url.username && !url.password ? url.href : null;
}

function matchAt(pattern, text, position) {
  pattern.lastIndex = position;
  return pattern.exec(text);
}

/**
 * Reads `(destination "title")`. The title is not shown: as a tooltip it could pass for the address.
 *
 * @param {string} text
 * @param {number} position Position of the parenthesis.
 * @returns {{address: string, end: number} | null}
 */
export function linkDestination(text, position) {
  if (text[position] !== "(") return null;
  const start = afterSpaces(text, position + 1);
  const angled = matchAt(ANGLED, text, start);
  if (!angled && text[start] === "<") return null;
  let end = angled ? start + angled[0].length : bareDestinationEnd(text, start);
  if (end === null) return null;
  const address = unescapeText(angled ? angled[1] : text.slice(start, end));
  const next = afterSpaces(text, end);
  const title = next > end && Object.hasOwn(TITLES, text[next] ?? "") ? matchAt(TITLES[text[next]], text, next) : null;
  end = title ? afterSpaces(text, next + title[0].length) : next;
  return text[end] === ")" ? { address, end: end + 1 } : null;
}

function afterSpaces(text, position) {
  return position + matchAt(SPACES, text, position)[0].length;
}

function bareDestinationEnd(text, start) {
  let depth = 0;
  let position = start;
  for (; position < text.length; position += 1) {
    const code = text.charCodeAt(position);
    if (code === BACKSLASH && ESCAPABLE.test(text[position + 1] ?? "")) {
      position += 1;
    } else if (code === OPENING) {
      depth += 1;
      if (depth > MAX_PARENTHESES) return null;
    } else if (code === CLOSING) {
      if (depth === 0) break;
      depth -= 1;
    } else if (code <= SPACE || code === DELETE) {
      break;
    }
  }
  return depth === 0 ? position : null;
}

/**
 * Returns an address in the text at a position, such as `https://example.com/a`, without punctuation behind it.
 *
 * @param {string} text
 * @param {number} position
 * @returns {string | null}
 */
export function bareAddress(text, position) {
  const match = matchAt(BARE, text, position);
  if (!match) return null;
  const address = match[0];
  let surplus = 0;
  for (const char of address) surplus += char === ")" ? 1 : char === "(" ? -1 : 0;
  let end = address.length;
  for (; end > 0; end -= 1) {
    const char = address[end - 1];
    if (char === ")" && surplus > 0) surplus -= 1;
    else if (!TRAILING.has(char)) break;
  }
  return end > "https://".length ? address.slice(0, end) : null;
}

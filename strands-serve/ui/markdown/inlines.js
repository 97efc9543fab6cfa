// Inline content of Markdown as a flat list of tokens: emphasis and links are marks where they open and close, so no depth of
// nesting needs recursion.

import { Delimiters } from "./delimiters.js";
import { ENTITY, ESCAPABLE, entityCharacter } from "./entities.js";
import { bareAddress, linkDestination, safeAddress } from "./links.js";

const TEXT = /[^\n`[\]\\!<&*_~]+/y;
const TICKS = /`+/g;
const ADDRESS = /<([A-Za-z][A-Za-z0-9+.-]{1,31}:[^<>\u0000-\u0020]*)>/y;
const MAIL = /<([a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*)>/y;
const LINE_BREAK_TAG = /<br[ \t]*\/?>/yi;
const BARE_START = /https?:\/\//g;

/**
 * @typedef {{kind: "text", text: string} | {kind: "code", text: string} | {kind: "break"}
 *   | {kind: "run", closes: string[], text: string, opens: string[]}
 *   | {kind: "open", name: "link" | "image", address: string | null} | {kind: "close"}} Token
 */

class InlineParser {
  constructor(text) {
    this.text = text;
    this.position = 0;
    /** @type {Token[]} */
    this.tokens = [];
    this.delimiters = new Delimiters();
    this.brackets = [];
    // Links contain no links: brackets below this height open none.
    this.inactive = 0;
    this.tickRuns = null;
    this.nextBare = -1;
  }

  parse() {
    while (this.position < this.text.length) {
      const char = this.text[this.position];
      if (char === "\n") this.newline();
      else if (char === "`") this.codeSpan();
      else if (char === "*" || char === "_" || char === "~") this.run(char);
      else if (char === "[") this.openBracket("[");
      else if (char === "!") this.exclamation();
      else if (char === "]") this.closeBracket();
      else if (char === "\\") this.backslash();
      else if (char === "&") this.entity();
      else if (char === "<") this.angle();
      else this.plain();
    }
    this.delimiters.match(null);
    return this.tokens;
  }

  addText(text, length = text.length) {
    this.tokens.push({ kind: "text", text });
    this.position += length;
  }

  match(pattern) {
    pattern.lastIndex = this.position;
    return pattern.exec(this.text);
  }

  plain() {
    const [text] = this.match(TEXT);
    const end = this.position + text.length;
    for (let index = this.bareStart(this.position); index < end; index = this.bareStart(index + 1)) {
      const address = index === 0 || !/[\p{L}\p{N}]/u.test(this.text[index - 1]) ? bareAddress(this.text, index) : null;
      if (!address) continue;
      if (index > this.position) this.addText(this.text.slice(this.position, index));
      this.addLink(address, address);
      this.position = index + address.length;
      // The address may be longer than the run.
      index = this.position - 1;
    }
    if (this.position < end) this.addText(this.text.slice(this.position, end));
  }

  /** Returns the position of the next `http://` or `https://`. It is searched once, and not for each run of text. */
  bareStart(from) {
    if (this.nextBare < from) {
      BARE_START.lastIndex = from;
      this.nextBare = BARE_START.exec(this.text)?.index ?? Infinity;
    }
    return this.nextBare;
  }

  addLink(address, text) {
    const safe = safeAddress(address);
    this.tokens.push({ kind: "open", name: "link", address: safe }, { kind: "text", text }, { kind: "close" });
  }

  newline() {
    const last = this.tokens.at(-1);
    this.position += 1;
    if (last?.kind !== "text") {
      this.tokens.push({ kind: "text", text: "\n" });
      return;
    }
    let end = last.text.length;
    while (end > 0 && last.text[end - 1] === " ") end -= 1;
    const isHard = last.text.length - end >= 2;
    last.text = last.text.slice(0, end);
    this.tokens.push(isHard ? { kind: "break" } : { kind: "text", text: "\n" });
  }

  backslash() {
    const next = this.text[this.position + 1];
    if (next === "\n") {
      this.tokens.push({ kind: "break" });
      this.position += 2;
    } else if (next && ESCAPABLE.test(next)) {
      this.addText(next, 2);
    } else {
      this.addText("\\");
    }
  }

  entity() {
    const match = this.match(ENTITY);
    const character = match && entityCharacter(match);
    if (character) this.addText(character, match[0].length);
    else this.addText("&");
  }

  angle() {
    const match = this.match(ADDRESS) ?? this.match(MAIL);
    if (match) {
      this.addLink(match[0].includes(":") ? match[1] : `mailto:${match[1]}`, match[1]);
      this.position += match[0].length;
      return;
    }
    const tag = this.match(LINE_BREAK_TAG);
    if (tag) {
      this.tokens.push({ kind: "break" });
      this.position += tag[0].length;
    } else {
      this.addText("<");
    }
  }

  codeSpan() {
    this.tickRuns ??= tickRuns(this.text);
    TICKS.lastIndex = this.position;
    const { length } = TICKS.exec(this.text)[0];
    const runs = this.tickRuns.get(length) ?? [];
    while (runs.at(-1) <= this.position) runs.pop();
    const end = runs.at(-1);
    if (end === undefined) {
      this.addText("`".repeat(length));
      return;
    }
    const code = this.text.slice(this.position + length, end).replaceAll("\n", " ");
    const isPadded = code.length > 2 && code.startsWith(" ") && code.endsWith(" ") && /[^ ]/.test(code);
    this.tokens.push({ kind: "code", text: isPadded ? code.slice(1, -1) : code });
    this.position = end + length;
  }

  run(char) {
    let end = this.position;
    while (this.text[end] === char) end += 1;
    const text = this.text.slice(this.position, end);
    const token = { kind: "run", closes: [], text, opens: [] };
    this.tokens.push(token);
    // One `~` is an approximate number more often than a deletion.
    if (char !== "~" || text.length === 2) {
      this.delimiters.push(token, characterBefore(this.text, this.position), characterAt(this.text, end));
    }
    this.position = end;
  }

  openBracket(text) {
    const token = { kind: "text", text };
    this.tokens.push(token);
    this.brackets.push({ token, isImage: text !== "[", bottom: this.delimiters.top });
    this.position += text.length;
  }

  exclamation() {
    if (this.text[this.position + 1] === "[") this.openBracket("![");
    else this.addText("!");
  }

  closeBracket() {
    const bracket = this.brackets.pop();
    const height = this.brackets.length;
    const isActive = bracket && (bracket.isImage || height >= this.inactive);
    this.inactive = Math.min(this.inactive, height);
    const destination = isActive ? linkDestination(this.text, this.position + 1) : null;
    if (!destination) {
      this.addText("]");
      return;
    }
    this.delimiters.match(bracket.bottom);
    const name = bracket.isImage ? "image" : "link";
    Object.assign(bracket.token, { kind: "open", name, address: safeAddress(destination.address) });
    this.tokens.push({ kind: "close" });
    this.position = destination.end;
    if (!bracket.isImage) this.inactive = height;
  }
}

/** Returns the positions of the runs of backticks by their length, last first. */
function tickRuns(text) {
  const runs = new Map();
  for (const found of text.matchAll(/`+/g)) {
    const { length } = found[0];
    if (!runs.has(length)) runs.set(length, []);
    runs.get(length).push(found.index);
  }
  for (const positions of runs.values()) positions.reverse();
  return runs;
}

function characterAt(text, position) {
  return position < text.length ? String.fromCodePoint(text.codePointAt(position)) : "";
}

function characterBefore(text, position) {
  if (position === 0) return "";
  const isPair = position > 1 && /[\udc00-\udfff]/.test(text[position - 1]);
  return isPair ? characterAt(text, position - 2) : text[position - 1];
}

/**
 * Parses the text of a paragraph, heading or table cell.
 *
 * @param {string} text
 * @returns {Token[]}
 */
export function parseInlines(text) {
  return new InlineParser(text).parse();
}

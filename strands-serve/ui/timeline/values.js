// Values of tool calls as text: exact, never markup, and with hidden characters made visible.

import { element } from "../elements.js";

/** Characters of a value that are shown; results can be large. */
const MAX_SHOWN = 20_000;
/** Characters of the arguments in the line of a call. */
const MAX_BRIEF = 60;
/** Characters without a glyph or that reorder text: all but tab and line feed. */
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

const SECONDS = new Intl.NumberFormat("en-US", { maximumFractionDigits: 1, minimumFractionDigits: 1 });
const WHOLE = new Intl.NumberFormat("en-US");

/** Returns a text with hidden characters as escapes, such as `\u202e`. */
export function visibleText(text) {
  return text.replace(HIDDEN, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Returns JSON as indented text. */
export function jsonText(value) {
  return visibleText(JSON.stringify(value, null, 2) ?? "null");
}

/** Returns the start of a long text, with the number of the characters that are left out. */
export function boundedText(text) {
  if (text.length <= MAX_SHOWN) return text;
  return `${text.slice(0, MAX_SHOWN)}\n… ${WHOLE.format(text.length - MAX_SHOWN)} more characters`;
}

/** Returns a duration in words: `12 ms`, `3.4 s`, `2 min 5 s`. */
export function durationText(milliseconds) {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 60_000) return `${SECONDS.format(milliseconds / 1000)} s`;
  const seconds = Math.round(milliseconds / 1000);
  return `${WHOLE.format(Math.floor(seconds / 60))} min ${seconds % 60} s`;
}

/** Returns the name of an agent for readers: `Flight search` for `flight_search`. */
export function agentLabel(name) {
  const words = visibleText(String(name)).replace(/[_\-\s]+/g, " ").trim();
  return words ? words[0].toUpperCase() + words.slice(1) : "Agent";
}

/** Returns the first arguments of a call, in one line. */
export function briefArguments(input) {
  if (typeof input !== "object" || input === null) return "";
  const isShort = (value) => (typeof value === "string" && value !== "") || typeof value === "number";
  const text = Object.values(input).filter(isShort).slice(0, 3).map(String).join(" · ");
  const line = visibleText(text.replace(/\s+/g, " "));
  return line.length > MAX_BRIEF ? `${line.slice(0, MAX_BRIEF)}…` : line;
}

/**
 * Returns a list of the fields of a value: names, and values as text. Strings are shown without quotes, others as JSON. A value
 * that is no object is shown as JSON alone.
 *
 * @param {unknown} value
 * @returns {HTMLElement}
 */
export function fieldList(value) {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  if (!isObject) return preformatted(jsonText(value));
  const entries = Object.entries(value);
  if (!entries.length) return note("No arguments");
  const list = element("dl", "fields");
  for (const [name, field] of entries) {
    const isText = typeof field === "string";
    const text = isText ? visibleText(field) || "(empty text)" : jsonText(field);
    const description = element("dd", isText ? "field-text" : "field-json", text);
    description.dir = "auto";
    const row = element("div");
    row.append(element("dt", "", visibleText(name)), description);
    list.append(row);
  }
  return list;
}

/** Returns a block of text that keeps its lines. */
export function preformatted(text) {
  const block = element("pre", "value", text);
  block.tabIndex = 0;
  return block;
}

/** Returns a short remark. */
export function note(text) {
  return element("p", "value-note", text);
}

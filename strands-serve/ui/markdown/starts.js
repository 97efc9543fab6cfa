// Starts of blocks: for each kind, the first line that opens one.

import { columnAlignments, tableRow } from "./tables.js";
import { unescapeText } from "./entities.js";

const HEADING = /#{1,6}(?:[ \t]+|$)/y;
const FENCE = /`{3,}(?=[^`]*$)|~{3,}/y;
const BREAK = /(?:\*[ \t]*){3,}$|(?:_[ \t]*){3,}$|(?:-[ \t]*){3,}$/y;
const UNDERLINE = /(?:=+|-+)[ \t]*$/y;
const BULLET = /[*+-](?=[ \t]|$)/y;
const NUMBER = /(\d{1,9})([.)])(?=[ \t]|$)/y;
const STARTERS = new Set("#`~*+_=<>|:-0123456789");

/**
 * Starts a block at the cursor of a line, and returns it. Returns `null` if the line starts none.
 *
 * @param parser The parser of blocks.
 * @param container The block that the line continues.
 * @param {import("./line.js").Line} line
 */
export function startBlock(parser, container, line) {
  if (line.isBlank) return null;
  if (line.isIndented) return indentedCode(parser, container, line);
  if (!STARTERS.has(line.text[line.next])) return null;
  for (const start of [quote, heading, fencedCode, table, underlined, thematicBreak, listItem]) {
    const started = start(parser, container, line);
    if (started) return started;
  }
  return null;
}

function quote(parser, container, line) {
  if (line.text[line.next] !== ">" || !parser.canNest(container)) return null;
  line.skipToNonspace();
  line.skip(1);
  if (line.atSpace()) line.skipIndent(1);
  parser.closeUnmatched();
  return opened(parser, parser.add("quote"));
}

function heading(parser, _, line) {
  const match = line.match(HEADING);
  if (!match) return null;
  parser.closeUnmatched();
  const block = parser.add("heading", { level: match[0].trimEnd().length });
  block.lines = [withoutClosing(line.text.slice(line.next + match[0].length))];
  parser.close(block, parser.number);
  return block;
}

/** Removes the closing `#` of a heading. A pattern for it would be slow with many spaces. */
function withoutClosing(text) {
  const content = text.trim();
  let end = content.length;
  while (end > 0 && content[end - 1] === "#") end -= 1;
  const isClosing = end === 0 || content[end - 1] === " " || content[end - 1] === "\t";
  return isClosing ? content.slice(0, end).trimEnd() : content;
}

function fencedCode(parser, _, line) {
  const match = line.match(FENCE);
  if (!match) return null;
  parser.closeUnmatched();
  const info = unescapeText(line.text.slice(line.next + match[0].length).trim());
  const language = info.split(/\s/, 1)[0];
  return opened(parser, parser.add("code", { fence: match[0], fenceIndent: line.indent, language, isNew: true }));
}

function indentedCode(parser, container, line) {
  if (parser.tip.type === "paragraph" || container.type === "table") return null;
  line.skipIndent(4);
  parser.closeUnmatched();
  return opened(parser, parser.add("code", { language: "" }));
}

function table(parser, container, line) {
  if (container.type !== "paragraph" || !"|:-".includes(line.text[line.next])) return null;
  const alignments = columnAlignments(line.text.slice(line.next));
  const header = alignments && tableRow(container.lines.at(-1));
  if (!header || header.length !== alignments.length) return null;
  container.lines.pop();
  parser.closeUnmatched();
  const { parent } = container;
  parser.close(container, parser.number - 2);
  const splitsParagraph = container.lines.length > 0;
  if (!splitsParagraph) parent.children.pop();
  const block = opened(parser, parser.add("table", { header, alignments, rows: [], splitsParagraph, isNew: true }));
  block.startLine = parser.number - 1;
  return block;
}

function underlined(parser, container, line) {
  if (container.type !== "paragraph") return null;
  const match = line.match(UNDERLINE);
  if (!match) return null;
  parser.closeUnmatched();
  container.type = "heading";
  container.level = match[0][0] === "=" ? 1 : 2;
  parser.close(container, parser.number);
  return container;
}

function thematicBreak(parser, _, line) {
  if (!line.match(BREAK)) return null;
  parser.closeUnmatched();
  const block = parser.add("break");
  parser.close(block, parser.number);
  return block;
}

function listItem(parser, container, line) {
  const bullet = line.match(BULLET);
  const number = bullet ? null : line.match(NUMBER);
  const marker = (bullet ?? number)?.[0];
  if (!marker || !parser.canNest(container)) return null;
  const isEmpty = !/[^ \t]/.test(line.text.slice(line.next + marker.length));
  if (container.type === "paragraph" && (isEmpty || (number && number[1] !== "1"))) return null;
  const markerIndent = line.indent;
  line.skipToNonspace();
  line.skip(marker.length);
  const padding = marker.length + spacing(line, isEmpty);
  parser.closeUnmatched();
  const delimiter = bullet ? marker : number[2];
  if (parser.tip.type !== "list" || parser.tip.delimiter !== delimiter) {
    parser.add("list", { delimiter, isOrdered: !bullet, first: number ? Number(number[1]) : 1, isTight: true });
  }
  return opened(parser, parser.add("item", { markerIndent, padding }));
}

/** Advances over the spaces behind a marker, and returns the columns that belong to it. */
function spacing(line, isEmpty) {
  const { indent } = line;
  if (isEmpty || indent < 1 || indent > 4) {
    if (line.atSpace()) line.skipIndent(1);
    return 1;
  }
  line.skipIndent(indent);
  return indent;
}

function opened(parser, block) {
  parser.oldTip = block;
  parser.matched = block;
  return block;
}

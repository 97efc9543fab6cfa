// Block structure of Markdown, line by line: the CommonMark algorithm, without HTML and reference definitions.

import { Line } from "./line.js";
import { startBlock } from "./starts.js";
import { tableRow } from "./tables.js";

/** Containers nest at most this deep; deeper markers are text. A list and its item are two levels. */
const MAX_DEPTH = 32;
/** Last line of a fenced code block. */
const FENCE_END = /(`{3,}|~{3,})[ \t]*$/y;

/**
 * @typedef {object} Block
 * @property {"document" | "quote" | "list" | "item" | "paragraph" | "heading" | "code" | "break" | "table"} type
 * @property {Block | null} parent
 * @property {Block[]} children Blocks in a container.
 * @property {string[]} lines Lines of a paragraph or code block.
 * @property {boolean} isOpen
 * @property {number} depth
 * @property {number} startLine Zero-based.
 * @property {number} endLine
 */

class BlockParser {
  constructor() {
    this.number = -1;
    this.document = this.create("document", null, {});
    this.tip = this.document;
  }

  create(type, parent, fields) {
    const depth = parent ? parent.depth + 1 : 0;
    const place = { startLine: this.number, endLine: this.number, depth, parent, isOpen: true };
    return { type, children: [], lines: [], ...place, ...fields };
  }

  /** Adds a block to the deepest open block that can contain it. */
  add(type, fields = {}) {
    while (!canContain(this.tip, type)) this.close(this.tip, this.number - 1);
    const block = this.create(type, this.tip, fields);
    this.tip.children.push(block);
    this.tip = block;
    return block;
  }

  canNest(container) {
    return container.depth < MAX_DEPTH;
  }

  close(block, endLine) {
    block.isOpen = false;
    block.endLine = endLine;
    if (block.type === "code" && !block.fence) {
      while (block.lines.length && isBlank(block.lines.at(-1))) block.lines.pop();
      block.endLine = block.startLine + block.lines.length - 1;
    } else if (block.type === "list" || block.type === "item") {
      block.endLine = block.children.at(-1)?.endLine ?? block.startLine;
      if (block.type === "list") block.isTight = !block.children.some(isLoose);
    }
    this.tip = block.parent ?? block;
  }

  /** Closes the blocks below `matched` that the current line doesn't continue. */
  closeUnmatched() {
    while (this.oldTip !== this.matched) {
      const { parent } = this.oldTip;
      this.close(this.oldTip, this.number - 1);
      this.oldTip = parent;
    }
  }

  addLine(text) {
    this.number += 1;
    const line = new Line(text);
    this.oldTip = this.tip;
    let container = this.document;
    while (container.children.at(-1)?.isOpen) {
      const child = container.children.at(-1);
      const continues = this.continues(child, line);
      if (continues === "ended") return;
      if (!continues) break;
      container = child;
    }
    const isContinued = container === this.oldTip;
    this.matched = container;
    while (container.type !== "code" && !container.isNew) {
      const started = startBlock(this, container, line);
      if (!started) break;
      container = started;
      if (container.type === "heading" || container.type === "break") return;
    }
    if (!isContinued && this.oldTip !== this.matched && !line.isBlank && this.tip.type === "paragraph") {
      line.skipToNonspace();
      this.tip.lines.push(line.rest());
      return;
    }
    this.closeUnmatched();
    this.addText(container, line);
  }

  addText(container, line) {
    if (container.type === "code") {
      if (container.isNew) container.isNew = false;
      else container.lines.push(line.rest());
    } else if (container.type === "table") {
      if (container.isNew) container.isNew = false;
      else container.rows.push(tableRow(line.text.slice(line.next)));
    } else if (!line.isBlank) {
      const paragraph = container.type === "paragraph" ? container : this.add("paragraph");
      line.skipToNonspace();
      paragraph.lines.push(line.rest());
    }
  }

  /** Returns true if a line continues an open block, and "ended" for the last line of fenced code. */
  continues(block, line) {
    switch (block.type) {
      case "quote":
        if (line.isIndented || line.text[line.next] !== ">") return false;
        line.skipToNonspace();
        line.skip(1);
        if (line.atSpace()) line.skipIndent(1);
        return true;
      case "item":
        if (line.isBlank) {
          if (!block.children.length) return false;
          line.skipToNonspace();
          return true;
        }
        if (line.indent < block.markerIndent + block.padding) return false;
        line.skipIndent(block.markerIndent + block.padding);
        return true;
      case "code":
        return block.fence ? this.continuesFence(block, line) : continuesIndented(line);
      case "list":
        return true;
      case "paragraph":
      case "table":
        return !line.isBlank;
      default:
        return false;
    }
  }

  continuesFence(block, line) {
    const end = line.isIndented ? null : line.match(FENCE_END);
    if (end && end[1][0] === block.fence[0] && end[1].length >= block.fence.length) {
      while (this.tip !== block) this.close(this.tip, this.number - 1);
      this.close(block, this.number);
      return "ended";
    }
    line.skipIndent(Math.min(block.fenceIndent, line.indent));
    return true;
  }

  end() {
    while (this.tip !== this.document) this.close(this.tip, this.number);
    return this.document.children;
  }
}

function continuesIndented(line) {
  if (line.isIndented) line.skipIndent(4);
  else if (line.isBlank) line.skipToNonspace();
  else return false;
  return true;
}

function canContain(block, type) {
  if (block.type === "list") return type === "item";
  return block.type === "document" || block.type === "quote" || block.type === "item";
}

/** Returns true for an item with a blank line behind it or between its blocks. */
function isLoose(item, index, items) {
  const hasGap = (block, at, blocks) => at + 1 < blocks.length && blocks[at + 1].startLine !== block.endLine + 1;
  return hasGap(item, index, items) || item.children.some(hasGap);
}

function isBlank(text) {
  return !/[^ \t]/.test(text);
}

/**
 * Parses the blocks of a document.
 *
 * @param {string[]} lines
 * @returns {Block[]}
 */
export function parseBlocks(lines) {
  const parser = new BlockParser();
  for (const line of lines) parser.addLine(line);
  return parser.end();
}

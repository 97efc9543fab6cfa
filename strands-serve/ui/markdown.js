// Markdown of model output as DOM: CommonMark without HTML and reference definitions, with tables, tasks and deletions.
// The text is hostile: it never becomes markup, links lead to http, https and mailto only, and time and size are bounded.

import { element } from "./elements.js";
import { parseBlocks } from "./markdown/blocks.js";
import { continueCodeBlock } from "./markdown/code_block.js";
import { Renderer } from "./markdown/render.js";

/** Characters that hide or reorder other text. */
const DECEPTIVE = /[\u0000\u202a-\u202e\u2066-\u2069]/g;

function linesOf(text) {
  const lines = text.replace(DECEPTIVE, "\ufffd").split(/\r\n|\n|\r/);
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

/**
 * Renders Markdown.
 *
 * @param {string} text
 * @returns {DocumentFragment}
 */
export function renderMarkdown(text) {
  const fragment = document.createDocumentFragment();
  const lines = linesOf(String(text));
  new Renderer(lines).blocks(fragment, parseBlocks(lines));
  return fragment;
}

/**
 * Markdown that grows. Finished blocks keep their elements; only the last block is rendered again.
 *
 * ```js
 * const stream = new MarkdownStream();
 * message.append(stream.element);
 * stream.update("Hel");
 * stream.update("Hello");
 * ```
 */
export class MarkdownStream {
  constructor() {
    /** The element with the text. @type {HTMLElement} */
    this.element = element("div", "markdown");
    this.text = "";
    this.reset();
  }

  reset() {
    this.element.replaceChildren();
    // Length of the text of the finished blocks, and the elements of the others.
    this.finished = 0;
    this.tail = [];
  }

  /**
   * Shows a text: all of it until now. One that doesn't begin with the earlier text replaces it.
   *
   * @param {string} text
   */
  update(text) {
    if (!text.startsWith(this.text)) this.reset();
    this.text = text;
    const rest = text.slice(this.finished);
    const lines = linesOf(rest);
    const blocks = parseBlocks(lines);
    const fragment = document.createDocumentFragment();
    new Renderer(lines).blocks(fragment, blocks);
    this.replaceTail([...fragment.childNodes]);
    if (this.tail.length === blocks.length) this.finishBlocks(rest.slice(0, rest.lastIndexOf("\n") + 1));
  }

  /** Finishes the blocks in front of the last one of the complete lines: no later text changes those. */
  finishBlocks(complete) {
    const blocks = parseBlocks(linesOf(complete));
    let count = blocks.length - 1;
    // A table may take the last line of a paragraph as its header.
    if (blocks[count]?.splitsParagraph) count -= 1;
    if (count <= 0) return;
    this.finished += offsetOfLine(complete, blocks[count].startLine);
    this.tail.splice(0, count);
  }

  replaceTail(nodes) {
    const shown = this.tail;
    this.tail = nodes.map((next, index) => {
      const old = shown[index];
      if (!old) this.element.append(next);
      else if (old.isEqualNode(next) || continueCodeBlock(old, next)) return old;
      else old.replaceWith(next);
      return next;
    });
    for (const old of shown.slice(nodes.length)) old.remove();
  }
}

function offsetOfLine(text, line) {
  const ends = /\r\n|\n|\r/g;
  for (let left = line; left > 0; left -= 1) ends.exec(text);
  return ends.lastIndex;
}

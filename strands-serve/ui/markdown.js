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
    this.finished = 0;
    this.finishedNodes = 0;
  }

  /**
   * Shows a text: all of it until now. One that doesn't begin with the earlier text replaces it.
   *
   * @param {string} text
   */
  update(text) {
    if (!text.startsWith(this.text)) this.reset();
    this.text = text;
    this.finishBlocks();
    this.replaceTail(renderMarkdown(text.slice(this.finished)));
  }

  /** Finds the blocks that end before the last complete line's block. No later text changes those. */
  finishBlocks() {
    const complete = this.text.slice(this.finished, this.text.lastIndexOf("\n") + 1);
    if (!complete) return;
    const blocks = parseBlocks(linesOf(complete));
    // A table may take the last line of a paragraph as its header.
    let last = blocks.length - 1;
    if (last > 0 && blocks[last].splitsParagraph) last -= 1;
    if (last <= 0) return;
    const length = offsetOfLine(complete, blocks[last].startLine);
    this.replaceTail(renderMarkdown(complete.slice(0, length)));
    this.finished += length;
    this.finishedNodes = this.element.childNodes.length;
  }

  replaceTail(fragment) {
    const shown = [...this.element.childNodes].slice(this.finishedNodes);
    for (const next of [...fragment.childNodes]) {
      const old = shown.shift();
      if (!old) this.element.append(next);
      else if (!old.isEqualNode(next) && !continueCodeBlock(old, next)) old.replaceWith(next);
    }
    for (const old of shown) old.remove();
  }
}

function offsetOfLine(text, line) {
  const ends = /\r\n|\n|\r/g;
  for (let left = line; left > 0; left -= 1) ends.exec(text);
  return ends.lastIndex;
}

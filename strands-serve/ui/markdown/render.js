// DOM of blocks and inline content. Text becomes text nodes, never markup.

import { element, scrollRegion } from "../elements.js";
import { codeBlock } from "./code_block.js";
import { parseInlines } from "./inlines.js";

/** Inline elements nest at most this deep. */
const MAX_INLINE_DEPTH = 24;
/** Elements of one text; the rest of a longer one is shown as it is written. */
const MAX_ELEMENTS = 20_000;

export class Renderer {
  /** @param {string[]} lines Lines of the text, for the part beyond the limit. */
  constructor(lines) {
    this.lines = lines;
    this.left = MAX_ELEMENTS;
  }

  create(name, className = "") {
    this.left -= 1;
    return element(name, className);
  }

  /**
   * Appends blocks to a node.
   *
   * @param {Node} parent
   * @param {import("./blocks.js").Block[]} blocks
   * @param {boolean} isTight True in a tight list, where paragraphs have no element.
   */
  blocks(parent, blocks, isTight = false) {
    for (const block of blocks) {
      if (this.left <= 0) {
        this.plain(parent, block.startLine, blocks.at(-1).endLine);
        return;
      }
      if (isTight && block.type === "paragraph") this.inlines(parent, block.lines.join("\n"));
      else parent.append(this.block(block));
    }
  }

  plain(parent, startLine, endLine) {
    const rest = this.create("pre", "md-plain");
    rest.textContent = this.lines.slice(startLine, endLine + 1).join("\n");
    parent.append(rest);
  }

  block(block) {
    switch (block.type) {
      case "heading":
        // Models skip levels as they like; the outline of the page must not.
        return this.inlines(this.create("h3", `md-h${block.level}`), block.lines.join("\n"));
      case "code": {
        this.left -= 7;
        return codeBlock(block.lines.map((line) => `${line}\n`).join(""), block.language);
      }
      case "break":
        return this.create("hr");
      case "quote": {
        const quote = this.create("blockquote");
        this.blocks(quote, block.children);
        return quote;
      }
      case "list":
        return this.list(block);
      case "table":
        return this.table(block);
      default:
        return this.inlines(this.create("p"), block.lines.join("\n"));
    }
  }

  list(block) {
    const list = this.create(block.isOrdered ? "ol" : "ul");
    if (block.isOrdered && block.first !== 1) list.start = block.first;
    for (const item of block.children) {
      if (this.left <= 0) {
        this.plain(list.appendChild(this.create("li")), item.startLine, block.endLine);
        break;
      }
      const entry = this.create("li");
      const checked = takeCheckbox(item);
      if (checked !== null) {
        entry.className = "md-task";
        const box = this.create("input");
        Object.assign(box, { type: "checkbox", disabled: true, checked });
        box.setAttribute("aria-label", checked ? "Done" : "Open");
        entry.append(box, " ");
      }
      this.blocks(entry, item.children, block.isTight);
      list.append(withDirection(entry));
    }
    return list;
  }

  table(block) {
    this.left -= 1;
    const region = scrollRegion("div", "md-table", "Table");
    const table = region.appendChild(this.create("table"));
    const head = table.appendChild(this.create("thead"));
    head.append(this.row(block.header, block.alignments, "th"));
    if (!block.rows.length) return region;
    const body = table.appendChild(this.create("tbody"));
    for (const [index, row] of block.rows.entries()) {
      if (this.left <= 0) {
        this.plain(region, block.startLine + 2 + index, block.endLine);
        break;
      }
      body.append(this.row(row, block.alignments, "td"));
    }
    return region;
  }

  row(cells, alignments, name) {
    const row = this.create("tr");
    for (const [column, alignment] of alignments.entries()) {
      const cell = this.create(name, alignment && `md-${alignment}`);
      if (name === "th") cell.scope = "col";
      row.append(this.inlines(cell, cells[column] ?? ""));
    }
    return row;
  }

  /** Appends inline content to an element, and returns the element. */
  inlines(parent, text) {
    const output = new InlineOutput(this, parent);
    for (const token of parseInlines(text.trimEnd())) output.add(token);
    output.flush();
    return withDirection(parent);
  }
}

/** Lets the text of an element choose its direction. Earlier, a browser would search the text after each added node. */
function withDirection(parent) {
  parent.dir = "auto";
  return parent;
}

/** Elements that are open while tokens are appended. */
class InlineOutput {
  constructor(renderer, parent) {
    this.renderer = renderer;
    this.open = [{ node: parent, depth: 0, isLink: false }];
    this.text = "";
  }

  add(token) {
    switch (token.kind) {
      case "text":
        this.text += token.text;
        break;
      case "code":
        this.leaf("code", token.text);
        break;
      case "break":
        this.leaf("br", "");
        break;
      case "open":
        this.openLink(token);
        break;
      case "close":
        this.close();
        break;
      default:
        for (const _ of token.closes) this.close();
        this.text += token.text;
        for (const name of token.opens.toReversed()) this.openElement(name, {});
    }
  }

  leaf(name, text) {
    if (this.renderer.left <= 0) {
      this.text += text || "\n";
      return;
    }
    this.flush();
    const leaf = this.renderer.create(name);
    if (text) leaf.textContent = text;
    this.open.at(-1).node.append(leaf);
  }

  openElement(name, fields) {
    const outer = this.open.at(-1);
    if (this.renderer.left <= 0 || outer.depth >= MAX_INLINE_DEPTH) {
      this.open.push(outer);
      return;
    }
    this.flush();
    const node = this.renderer.create(name);
    outer.node.append(node);
    this.open.push({ ...outer, node, depth: outer.depth + 1, ...fields });
  }

  openLink({ name, address }) {
    if (!address || this.open.at(-1).isLink) {
      this.open.push(this.open.at(-1));
      return;
    }
    this.openElement("a", { isLink: true, address });
    const { node, isLink } = this.open.at(-1);
    if (!isLink) return;
    Object.assign(node, { href: address, rel: "noopener noreferrer", target: "_blank" });
    if (name === "image") node.className = "md-image";
  }

  close() {
    const closed = this.open.pop();
    if (closed.node === this.open.at(-1).node) return;
    if (closed.isLink && !this.text && !closed.node.hasChildNodes()) this.text = closed.address;
    this.append(closed.node);
  }

  flush() {
    this.append(this.open.at(-1).node);
  }

  append(node) {
    if (this.text) node.append(this.text);
    this.text = "";
  }
}

/** Removes the `[ ]` or `[x]` of a task from an item. Returns its state, or `null` for another item. */
function takeCheckbox(item) {
  const first = item.children[0];
  const match = first?.type === "paragraph" ? /^\[([ xX])\][ \t]+(?=\S)/.exec(first.lines[0]) : null;
  if (!match) return null;
  first.lines[0] = first.lines[0].slice(match[0].length);
  return match[1] !== " ";
}

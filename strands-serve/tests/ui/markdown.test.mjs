// Markdown beyond the examples of CommonMark: tables, tasks, addresses, code blocks.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { rendered } from "./canonical.mjs";
import { attached } from "./dom.mjs";
import { renderMarkdown } from "../../ui/markdown.js";

const html = (markdown) => rendered(renderMarkdown(markdown));

function codeBlock(markdown) {
  const root = attached(renderMarkdown(markdown));
  const [region, button, status] = ["pre", "button", "[role=status]"].map((selector) => root.querySelector(selector));
  return { root, region, button, status };
}

beforeEach(() => document.body.replaceChildren());

test("renders tables with alignments, escaped pipes and missing cells", () => {
  const table = attached(renderMarkdown("a | b | c\n:-- | :-: | --:\n`x\\|y` | **2** | 3 | 4\n1\n\nend"));
  assert.deepEqual([...table.querySelectorAll("th")].map((cell) => [cell.textContent, cell.className, cell.scope]), [
    ["a", "md-start", "col"], ["b", "md-center", "col"], ["c", "md-end", "col"],
  ]);
  assert.deepEqual([...table.querySelectorAll("tbody tr")].map((row) => [...row.cells].map((cell) => cell.textContent)), [
    ["x|y", "2", "3"], ["1", "", ""],
  ]);
  assert.equal(table.querySelector("strong").textContent, "2");
  assert.equal(table.querySelector(".md-table").tabIndex, 0);
});

test("a table ends at another block, and takes the last line of a paragraph as its header", () => {
  assert.equal(html("Text\n|a|\n|-|\n|1|\n> q"), "<p>Text</p><table><thead><tr><th>a</th></tr></thead><tbody><tr><td>1</td></tr></tbody></table><blockquote><p>q</p></blockquote>");
  assert.equal(html("a | b\n--- | --- | ---"), "<p>a | b\n--- | --- | ---</p>");
  assert.equal(html("|a|\n|-|"), "<table><thead><tr><th>a</th></tr></thead></table>");
});

test("renders tasks as checkboxes with a state for screen readers", () => {
  const root = attached(renderMarkdown("- [ ] open\n- [x] done\n- [y] none"));
  const boxes = [...root.querySelectorAll("input[type=checkbox]")];
  assert.deepEqual(boxes.map((box) => [box.checked, box.disabled, box.getAttribute("aria-label")]), [[false, true, "Open"], [true, true, "Done"]]);
  assert.equal(root.querySelectorAll("li")[2].textContent, "[y] none");
});

test("renders deletions with two tildes, and keeps one tilde", () => {
  assert.equal(html("~~old~~ about ~5 to ~9"), "<p><del>old</del> about ~5 to ~9</p>");
});

test("a link leaves the emphasis around it", () => {
  const link = '<a href="https://a.example/">l</a>';
  assert.equal(html("**a** [l](https://a.example) *b*"), `<p><strong>a</strong> ${link} <em>b</em></p>`);
  assert.equal(html("*a [l](https://a.example) b* ~~c~~"), `<p><em>a ${link} b</em> <del>c</del></p>`);
  assert.equal(html("*a* *b [*l*](https://a.example) c*"), '<p><em>a</em> <em>b <a href="https://a.example/"><em>l</em></a> c</em></p>');
});

test("links addresses in the text without the punctuation behind them", () => {
  const links = (markdown) => [...attached(renderMarkdown(markdown)).querySelectorAll("a")].map((link) => link.textContent);
  assert.deepEqual(links("See https://a.example/b_c_d?e=f&g=(h), or (https://a.example/x)."), ["https://a.example/b_c_d?e=f&g=(h)", "https://a.example/x"]);
  assert.deepEqual(links("**https://a.example/** xhttps://b.example `https://c.example`"), ["https://a.example/"]);
  assert.deepEqual(links("[https://a.example](https://b.example)"), ["https://a.example"]);
});

test("opens links in a new tab without a reference to the page", () => {
  const link = attached(renderMarkdown("[x](https://a.example)")).querySelector("a");
  assert.deepEqual([link.rel, link.target, link.href], ["noopener noreferrer", "_blank", "https://a.example/"]);
});

test("shows images as links, and an image in a link as its text", () => {
  const root = attached(renderMarkdown("![logo](https://a.example/l.png) [![alt](https://a.example/i.png)](https://a.example/p) ![](https://a.example/e.png)"));
  assert.equal(root.querySelectorAll("img").length, 0);
  assert.deepEqual([...root.querySelectorAll("a")].map((link) => [link.textContent, link.href, link.className]), [
    ["logo", "https://a.example/l.png", "md-image"],
    ["alt", "https://a.example/p", ""],
    ["https://a.example/e.png", "https://a.example/e.png", "md-image"],
  ]);
});

test("headings of a message are below those of the page, and skip no level", () => {
  const root = attached(renderMarkdown("# a\n## b\n###### c"));
  assert.deepEqual([...root.querySelectorAll("h3")].map((heading) => heading.className), ["md-h1", "md-h2", "md-h6"]);
});

test("text has the direction of its first letters", () => {
  assert.equal(attached(renderMarkdown("שלום")).querySelector("p").dir, "auto");
});

test("a code block has a language, and a region that the keyboard scrolls", () => {
  const { root, region } = codeBlock("```rust title=x\nfn main() {}\n```");
  assert.equal(root.querySelector(".code-language").textContent, "rust");
  assert.deepEqual([region.tabIndex, region.getAttribute("role"), region.getAttribute("aria-label")], [0, "region", "rust code"]);
  assert.equal(region.textContent, "fn main() {}\n");
});

function setNavigator(value) {
  Object.defineProperty(globalThis, "navigator", { value, configurable: true });
}

test("the copy button copies exactly the code, and says so", async () => {
  const copied = [];
  setNavigator({ clipboard: { writeText: async (text) => copied.push(text) } });
  const { button, status } = codeBlock("    a <b>\n    &amp;\n");
  assert.equal(status.textContent, "");
  button.click();
  await new Promise(setImmediate);
  assert.deepEqual(copied, ["a <b>\n&amp;\n"]);
  assert.equal(status.textContent, "Copied");
});

test("without a clipboard the copy button selects the code", async () => {
  setNavigator({});
  const { button, status } = codeBlock("```\ncode\n```");
  button.click();
  await new Promise(setImmediate);
  assert.equal(getSelection().toString(), "code\n");
  assert.match(status.textContent, /^Selected/);
});

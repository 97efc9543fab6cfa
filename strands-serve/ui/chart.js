// Chart of the usage of each turn: bars of tokens, latency and cost, with the numbers in a table.

import { element, scrollRegion, svgElement } from "./elements.js";

const WIDTH = 320;
const HEIGHT = 48;
const COUNT = new Intl.NumberFormat("en-US");
const COMPACT = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
const SECONDS = new Intl.NumberFormat("en-US", { style: "unit", unit: "second", unitDisplay: "narrow", minimumFractionDigits: 1, maximumFractionDigits: 1 });
const MONEY = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD", minimumFractionDigits: 2, maximumFractionDigits: 4 });
let charts = 0;

/**
 * @typedef {object} TurnUsage
 * @property {string} label
 * @property {number} inputTokens
 * @property {number} outputTokens
 * @property {number} [latencyMs]
 * @property {number} [cost] In US dollars; left out if prices are unknown.
 */

/** Measures: one row of bars for each. Parts are stacked from the bottom. */
const MEASURES = [
  { title: "Tokens", parts: [{ key: "inputTokens", name: "input" }, { key: "outputTokens", name: "output" }], format: COMPACT },
  { title: "Latency", parts: [{ key: "latencyMs", name: "latency" }], format: { format: (value) => SECONDS.format(value / 1000) } },
  { title: "Cost", parts: [{ key: "cost", name: "cost" }], format: MONEY },
];

const COLUMNS = [
  { title: "Turn", text: (turn) => turn.label },
  { title: "Input tokens", text: (turn) => COUNT.format(amount(turn.inputTokens)) },
  { title: "Output tokens", text: (turn) => COUNT.format(amount(turn.outputTokens)) },
  { title: "Latency", text: (turn) => (Number.isFinite(turn.latencyMs) ? SECONDS.format(turn.latencyMs / 1000) : "–"), key: "latencyMs" },
  { title: "Cost", text: (turn) => (Number.isFinite(turn.cost) ? MONEY.format(turn.cost) : "–"), key: "cost" },
];

/**
 * Creates the chart of a conversation.
 *
 * @param {TurnUsage[]} turns Oldest first.
 * @returns {HTMLElement}
 */
export function usageChart(turns) {
  const figure = element("figure", "usage");
  figure.append(element("figcaption", "usage-title", "Usage by turn"));
  if (!turns.length) {
    figure.append(element("p", "usage-empty", "No turns yet"));
    return figure;
  }
  for (const measure of MEASURES) {
    if (isMeasured(turns, measure)) figure.append(chart(turns, measure));
  }
  const details = element("details", "usage-numbers");
  details.append(element("summary", "", "Numbers"), table(turns));
  figure.append(details);
  return figure;
}

function amount(value) {
  return Number.isFinite(value) && value > 0 ? value : 0;
}

function isMeasured(turns, { parts }) {
  return parts.some(({ key }) => turns.some((turn) => Number.isFinite(turn[key])));
}

function total(turn, { parts }) {
  return parts.reduce((sum, { key }) => sum + amount(turn[key]), 0);
}

function chart(turns, measure) {
  const totals = turns.map((turn) => total(turn, measure));
  const sum = totals.reduce((left, right) => left + right, 0);
  const highest = Math.max(...totals);
  const row = element("div", "usage-measure");
  const caption = element("p", "usage-caption");
  const keys = measure.parts.length > 1 ? measure.parts.map(({ name }) => element("span", `usage-key usage-key-${name}`, name)) : [];
  caption.append(element("span", "usage-name", measure.title), " ", ...keys, " ", element("span", "usage-total", measure.format.format(sum)));

  charts += 1;
  const svg = svgElement("svg", { class: "usage-bars", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
  const title = svgElement("title", { id: `usage-title-${charts}` });
  title.textContent = `${measure.title} by turn`;
  const description = svgElement("desc", { id: `usage-desc-${charts}` });
  description.textContent = describe(turns, measure, sum, highest);
  svg.setAttribute("aria-labelledby", title.id);
  svg.setAttribute("aria-describedby", description.id);
  svg.append(title, description, ...bars(turns, measure, highest));
  row.append(caption, svg);
  return row;
}

function describe(turns, { format, parts }, sum, highest) {
  const count = turns.length === 1 ? "1 turn" : `${COUNT.format(turns.length)} turns`;
  const split = parts.map(({ key, name }) => `${format.format(turns.reduce((left, turn) => left + amount(turn[key]), 0))} ${name}`);
  return `${count}, ${format.format(sum)} in total${parts.length > 1 ? ` (${split.join(", ")})` : ""}, at most ${format.format(highest)} in one turn.`;
}

/** A few turns get bars of a moderate width, many share the whole width. */
function bars(turns, measure, highest) {
  const step = Math.min(24, WIDTH / turns.length);
  const width = step * (step > 4 ? 0.75 : 0.9);
  return turns.flatMap((turn, index) => {
    let top = HEIGHT;
    return measure.parts.map(({ key, name }) => {
      const height = highest ? (amount(turn[key]) / highest) * (HEIGHT - 2) : 0;
      top -= height;
      return svgElement("rect", { class: `usage-bar usage-${name}`, x: index * step, y: top, width, height });
    });
  });
}

function table(turns) {
  const columns = COLUMNS.filter(({ key }) => !key || turns.some((turn) => Number.isFinite(turn[key])));
  const region = scrollRegion("div", "usage-table", "Usage by turn, as a table");
  const content = element("table");
  const head = element("tr");
  for (const { title } of columns) head.append(header(title, "col"));
  content.append(element("thead"), element("tbody"));
  content.tHead.append(head);
  for (const turn of turns) {
    const row = element("tr");
    const [label, ...numbers] = columns.map(({ text }) => text(turn));
    row.append(header(label, "row"), ...numbers.map((text) => element("td", "", text)));
    content.tBodies[0].append(row);
  }
  region.append(content);
  return region;
}

function header(text, scope) {
  const cell = element("th", "", text);
  cell.scope = scope;
  return cell;
}

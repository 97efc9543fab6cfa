// Timeline of tool calls. The streams were recorded with `travel-agent --events` and its HTTP host, without the text.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { afterEach, test } from "node:test";

import { attached } from "./dom.mjs";
import { Timeline } from "../../ui/timeline.js";

const recorded = (name) => readFileSync(new URL(`streams/${name}.jsonl`, import.meta.url), "utf8").trim().split("\n").map(JSON.parse);
const lines = (list) => [...list.children].map((item) => {
  const text = (name) => item.querySelector(`.call-${name}`).textContent;
  return [text("name"), text("status")];
});
const details = (item, title) => [...item.querySelectorAll(".call-section")].find((part) => part.firstChild.textContent === title && !part.hidden)?.lastChild;

let timelines = [];
function timeline(events = []) {
  const created = new Timeline();
  timelines.push(created);
  attached(created.element);
  for (const event of events) created.apply(event);
  return created;
}
afterEach(() => {
  for (const created of timelines) created.end();
  timelines = [];
});

const use = (id, name = "search", input = { q: id }) => ({ toolUseId: id, name, input });
const start = (id, name, input) => ({ type: "tool_start", tool_use: use(id, name, input) });
const end = (id, name, result = {}, duration_ms = 5) => ({
  type: "tool_end", tool_use: use(id, name), result: { toolUseId: id, status: "success", content: [{ text: "ok" }], ...result }, duration_ms,
});
const error = (text) => ({ status: "error", content: [{ text }] });

test("shows a recorded run with concurrent calls and an error", () => {
  const { element } = timeline(recorded("booking_fails"));
  assert.equal(element.localName, "ol");
  assert.deepEqual(lines(element), [
    ["todays_date", "Done"], ["get_travel_policies", "Done"], ["check_policy", "Done"], ["search_flights", "Done"], ["search_flights", "Done"],
    ["get_hotels", "Done"], ["get_cars", "Done"], ["check_policy", "Done"], ["book_trip", "Failed"],
  ]);
  const last = element.lastChild;
  assert.match(details(last, "Result").textContent, /^you are travelling .* already/);
  assert.match(details(last, "Arguments").textContent, /destinationSan Francisco/);
  assert.match(last.querySelector(".call-duration").textContent, /^\d+ ms$/);
  assert.equal(last.querySelector("details").open, false);
});

test("a recorded call waits for an approval, and the resumed run denies it in the same entry", () => {
  const shown = timeline(recorded("approval_waits"));
  const { lastChild } = shown.element;
  assert.deepEqual(lines(shown.element).at(-1), ["book_trip", "Waiting for approval"]);
  for (const event of recorded("approval_denied")) shown.apply(event);
  assert.equal(shown.element.lastChild, lastChild);
  assert.deepEqual(lines(shown.element).at(-1), ["book_trip", "Denied"]);
  assert.equal(lastChild.querySelector(".call-duration").textContent, "");
});

test("stored messages show the same calls as the live run", () => {
  const events = recorded("booking_fails");
  const live = timeline(events);
  const messages = events.filter(({ type }) => type === "message").map(({ message }) => message);
  const stored = new Timeline().fromMessages(messages);
  assert.deepEqual(lines(stored.element), lines(live.element));
});

test("each prefix of a run is shown, and entries neither move nor are replaced", () => {
  const shown = timeline();
  let before = [];
  for (const event of recorded("booking_fails")) {
    shown.apply(event);
    const items = [...shown.element.children];
    assert.deepEqual(items.slice(0, before.length).map((item, index) => item === before[index]), before.map(() => true));
    before = items;
  }
});

test("streams arguments before the call starts", () => {
  const shown = timeline([
    { type: "tool_use_start", tool_use_id: "1", name: "book" },
    { type: "tool_use_delta", tool_use_id: "1", input: '{"ci' },
    { type: "tool_use_delta", tool_use_id: "1", input: 'ty":"N' },
  ]);
  assert.deepEqual(lines(shown.element), [["book", "Preparing"]]);
  assert.equal(details(shown.element.firstChild, "Arguments").textContent, '{"city":"N');
});

test("a retry removes the calls of void output, and keeps those that ran", () => {
  const shown = timeline([start("1"), end("1"), { type: "tool_use_start", tool_use_id: "2", name: "b" }, { type: "retry", discards_output: true }]);
  assert.deepEqual(lines(shown.element), [["search", "Done"]]);
});

test("shows progress as text, number or bar", () => {
  const shown = timeline([start("1")]);
  const progress = shown.element.querySelector(".call-progress");
  const report = (data) => {
    shown.apply({ type: "tool_progress", tool_use: use("1"), data });
    return progress;
  };
  assert.equal(report("half\nway").textContent, "half way");
  assert.equal(report(3).textContent, "3");
  const bar = report({ progress: 2, total: 4, message: "copying" }).querySelector("progress");
  assert.deepEqual([bar.value, bar.max, bar.getAttribute("aria-label")], [2, 4, "Progress of search"]);
  assert.match(progress.textContent, /copying/);
  report({ rows: [1] });
  assert.match(details(shown.element.firstChild, "Progress").textContent, /rows/);
  report(null);
  shown.apply(end("1"));
  assert.equal(progress.textContent, "");
});

test("tells denied, cancelled, refused and failed calls apart, in words", () => {
  const status = (events) => lines(timeline(events).element)[0][1];
  assert.equal(status([end("1", "a", error("a human denied the call: too expensive"))]), "Denied");
  assert.equal(status([end("1", "a", error("this call is not allowed"))]), "Denied");
  assert.equal(status([end("1", "a", error("travel to Mars needs a form"))]), "Not run");
  assert.equal(status([start("1"), end("1", "a", error("boom"))]), "Failed");
  assert.equal(status([start("1"), { type: "result", response: { stop_reason: "cancelled" } }]), "Cancelled");
  const results = [{ toolResult: { toolUseId: "1", ...error("Tool execution cancelled") } }];
  assert.equal(status([start("1"), { type: "message", message: { role: "user", content: results } }]), "Cancelled");
  assert.equal(status([start("1"), { type: "result", response: { stop_reason: "end_turn" } }]), "Not finished");
});

test("an interrupt with the id of the call alone marks the call", () => {
  const id = "v1:tool_call:call:with:colons:b9e6f0f7-048e-5f43-a7b0-2b41b64a57ec";
  const shown = timeline([start("call:with:colons"), { type: "interrupt", interrupts: [{ id, name: "size", reason: "which?" }] }]);
  assert.deepEqual(lines(shown.element), [["search", "Waiting for approval"]]);
});

test("shows the calls of nested agents below the call that runs them", () => {
  const at = (path, event) => ({ type: "node", path, event });
  const shown = timeline([
    start("1", "expert"), at(["expert"], { type: "start" }), at(["expert"], { type: "text_delta", text: "x" }), at(["expert"], start("1", "lookup")),
    at(["expert", "library"], start("9", "read")), at(["expert", "library"], end("9", "read")), at(["expert"], end("1", "lookup")),
    at(["expert"], { type: "result", response: {} }), end("1", "expert"),
    start("2", "expert"), at(["expert"], { type: "start" }), at(["expert"], start("1", "second")),
  ]);
  const [first, second] = shown.element.children;
  assert.equal(shown.element.children.length, 2);
  assert.deepEqual([...first.querySelectorAll(".call-name")].map((name) => name.textContent), ["expert", "lookup", "read"]);
  assert.equal(first.querySelector(".timeline").getAttribute("aria-label"), "Tool calls of Expert");
  assert.deepEqual([...second.querySelectorAll(".call-name")].map((name) => name.textContent), ["expert", "second"]);
  shown.apply(end("2", "expert", error("boom")));
  assert.deepEqual([...second.querySelectorAll(".call-status")].map((status) => status.textContent), ["Failed", "Not finished"]);
});

test("concurrent invocations of one agent keep their own calls", () => {
  const at = (event) => ({ type: "node", path: ["expert"], event });
  const shown = timeline([
    start("1", "expert"), start("2", "expert"), at({ type: "start" }), at(start("a", "one")), at({ type: "start" }), at(start("b", "two")),
    at(end("a", "one")), at({ type: "result", response: {} }), at(end("b", "two")),
  ]);
  const calls = [...shown.element.children].map((item) => [...item.querySelectorAll(".node .call")].map((call) => call.querySelector("summary").textContent.replace(/\s+/g, " ")));
  assert.deepEqual(calls, [["one a Done 5 ms"], ["two b Done 5 ms"]]);
});

test("bounds the depth of nodes", () => {
  const path = Array.from({ length: 500 }, (_, index) => `n${index}`);
  const { element } = timeline([{ type: "node", path, event: start("1") }]);
  assert.ok(element.querySelectorAll(".timeline").length < 12);
  assert.equal(element.querySelectorAll(".call").length, 1);
});

test("shows the time of a running call, and stops the timer with the last one", (context) => {
  context.mock.timers.enable({ apis: ["setInterval", "Date"] });
  const shown = timeline([start("1")]);
  const duration = shown.element.querySelector(".call-duration");
  context.mock.timers.tick(999);
  assert.equal(duration.textContent, "");
  context.mock.timers.tick(62_001);
  assert.equal(duration.textContent, "1 min 3 s");
  shown.apply(end("1", "search", {}, 63_400));
  context.mock.timers.tick(5_000);
  assert.equal(duration.textContent, "1 min 3 s");
  assert.equal(shown.timer, null);
});

test("ignores events of unknown and of other types", () => {
  const shown = timeline([null, {}, { type: "future" }, { type: "text_delta", text: "x" }, { type: "tool_use_delta", tool_use_id: "?", input: "x" }, { type: "node", path: ["a"], event: { type: "future" } }]);
  assert.equal(shown.element.childNodes.length, 0);
});

test("arguments and results are text, with hidden characters made visible, and bounded", () => {
  const evil = "<img src=x onerror=alert(1)>\u202e\u200b";
  const content = [{ text: evil }, { json: { a: "x".repeat(50_000) } }, { odd: evil }];
  const shown = timeline([
    start("1", evil, { [evil]: evil, n: 1, empty: "" }), { ...end("1", evil, { content }), tool_use: use("1", evil, { [evil]: evil }) },
  ]);
  const { element } = shown;
  assert.equal(element.querySelectorAll("img").length, 0);
  assert.doesNotMatch(element.textContent, /[\u202e\u200b]/);
  assert.match(details(element.firstChild, "Arguments").textContent, /\\u202e/);
  assert.match(details(element.firstChild, "Result").textContent, /… 30,\d+ more characters/);
});

test("shows images of the known formats, and names other files", () => {
  const content = [
    { image: { format: "png", source: { bytes: "iVBORw0KGgo=" } } }, { image: { format: "svg+xml", source: { bytes: "x" } } },
    { document: { name: "plan", format: "pdf", source: {} } },
  ];
  const shown = timeline([start("1"), end("1", "search", { content })]);
  const result = details(shown.element.firstChild, "Result");
  assert.deepEqual([...result.querySelectorAll("img")].map((image) => image.src), ["data:image/png;base64,iVBORw0KGgo="]);
  assert.match(result.textContent, /Image: svg\+xmlDocument: plan, pdf/);
});

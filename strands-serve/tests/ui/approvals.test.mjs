// Approval cards.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { attached } from "./dom.mjs";
import { approvalCard, requestOfInterrupt } from "../../ui/approvals.js";
import { interruptCards } from "../../ui/interrupts.js";

const REQUEST = {
  approval_id: "42a7d04953a1", run_id: "r1", tool: "book_trip", input: { destination: "New York", nights: 2, vip: "true", extras: ["a", null] },
  reason: "the trip is above a cost limit", requested_by: { subject: "ana", name: "Ana Silva" },
  requested_at: "2026-11-29T19:38:13.461Z", expires_at: "2999-01-01T00:00:00Z", may_approve: true,
};

function card(request = REQUEST, options = { canDecide: true, onDecision() {} }) {
  const element = attached(approvalCard(request, options)).firstChild;
  const find = (selector) => element.querySelector(selector);
  return { element, approve: find(".approval-approve"), deny: find(".approval-deny"), note: find("textarea"), status: find("[role=status]") };
}

const settled = () => new Promise(setImmediate);

test("shows exactly the call: tool, arguments, requester and times", () => {
  const { element } = card();
  assert.equal(document.getElementById(element.getAttribute("aria-labelledby")).textContent, "Approve book_trip?");
  const fields = [...element.querySelectorAll(".fields > div")].map((row) => [...row.children].map((cell) => cell.textContent));
  assert.deepEqual(fields, [["destination", "New York"], ["nights", "2"], ["vip", "true"], ["extras", '[\n  "a",\n  null\n]']]);
  assert.deepEqual(JSON.parse(element.querySelector(".approval-json pre").textContent), REQUEST.input);
  assert.match(element.querySelector(".approval-facts").textContent, /Requested byAna Silva \(ana\)/);
  assert.deepEqual([...element.querySelectorAll("time")].map((time) => time.dateTime), ["2026-11-29T19:38:13.461Z", "2999-01-01T00:00:00.000Z"]);
});

test("a name that looks like another user has the id behind it", () => {
  assert.match(card({ ...REQUEST, requested_by: { subject: "mallory", name: "ana" } }).element.textContent, /ana \(mallory\)/);
});

test("hostile values are text with visible hidden characters", () => {
  const evil = "<img src=x onerror=alert(1)>\u202egpj";
  const { element } = card({ ...REQUEST, tool: evil, reason: evil, input: { [evil]: evil }, requested_by: { subject: evil, name: evil }, requested_at: evil });
  assert.equal(element.querySelectorAll("img, script").length, 0);
  assert.doesNotMatch(element.textContent, /\u202e/);
  assert.match(element.querySelector(".fields").textContent, /\\u202egpj/);
});

test("long arguments are complete", () => {
  const text = `${"a".repeat(100_000)}END`;
  assert.ok(card({ ...REQUEST, input: { text } }).element.querySelector(".fields").textContent.endsWith("END"));
});

test("sends one decision, disables the buttons meanwhile, and keeps the focus", async () => {
  const sent = [];
  let finish;
  const { approve, deny, status } = card(REQUEST, { canDecide: true, onDecision: (decision) => (sent.push(decision), new Promise((resolve) => (finish = resolve))) });
  approve.focus();
  approve.click();
  deny.click();
  approve.click();
  assert.deepEqual(sent, [{ approve: true }]);
  assert.deepEqual([approve, deny].map((button) => button.getAttribute("aria-disabled")), ["true", "true"]);
  assert.equal(document.activeElement, approve);
  assert.equal(status.textContent, "Approving…");
  finish();
  await settled();
  assert.equal(status.textContent, "Approved");
  assert.equal(document.activeElement, approve);
  deny.click();
  assert.equal(sent.length, 1);
});

test("sends the reason of a denial, and not with an approval", async () => {
  const sent = [];
  const onDecision = (decision) => void sent.push(decision);
  for (const [button, reason] of [["deny", " too expensive \n"], ["deny", "  "], ["approve", "ignored"]]) {
    const shown = card(REQUEST, { canDecide: true, onDecision });
    shown.note.value = reason;
    shown[button].click();
    await settled();
  }
  assert.deepEqual(sent, [{ approve: false, reason: "too expensive" }, { approve: false }, { approve: true }]);
});

test("shows a failure, keeps the reason, and allows another attempt", async () => {
  let attempts = 0;
  const onDecision = async () => {
    attempts += 1;
    if (attempts === 1) throw new Error("the server is busy");
  };
  const { deny, note, status } = card(REQUEST, { canDecide: true, onDecision });
  note.value = "no";
  deny.click();
  await settled();
  assert.equal(status.textContent, "Not sent: the server is busy");
  assert.deepEqual([deny.getAttribute("aria-disabled"), note.value, note.readOnly], ["false", "no", false]);
  deny.click();
  await settled();
  assert.deepEqual([attempts, status.textContent], [2, "Denied"]);
});

test("has no approve button if the user may only deny, or if the request has expired", () => {
  const denyOnly = card({ ...REQUEST, may_approve: false });
  assert.deepEqual([denyOnly.approve, denyOnly.deny.textContent], [null, "Deny"]);
  const expired = card({ ...REQUEST, expires_at: "2020-01-01T00:00:00Z" });
  assert.equal(expired.approve, null);
  assert.match(expired.element.textContent, /Expired/);
});

test("has no controls while another user decides", () => {
  const { element } = card(REQUEST, { canDecide: false });
  assert.equal(element.querySelectorAll("button, textarea").length, 0);
  assert.match(element.textContent, /^Waiting for approval: book_trip/);
});

test("makes a request of a recorded interrupt", () => {
  const lines = readFileSync(new URL("streams/approval_waits.jsonl", import.meta.url), "utf8").trim().split("\n").map(JSON.parse);
  const [interrupt] = lines.find(({ type }) => type === "interrupt").interrupts;
  const request = requestOfInterrupt(interrupt);
  assert.equal(request.approval_id, interrupt.id);
  assert.deepEqual([request.tool, request.input.destination, request.may_approve], ["book_trip", "New York", false]);
  assert.equal(requestOfInterrupt({ id: "x", name: "size", reason: "which size?" }), null);
  assert.equal(requestOfInterrupt({ id: "x", name: "size" }), null);
});

test("a user may approve an own call while the list of approvals is not there", () => {
  const call = { tool: "book_trip", input: { nights: 2 } };
  const waits = (reason, listed = []) => interruptCards([{ id: "i1", name: "approval", reason: { ...call, ...reason } }], listed, () => {})[0].querySelector(".card-wait") !== null;
  assert.equal(waits({}), false);
  assert.equal(waits({ approvers: ["manager"] }), true);
  assert.equal(waits({ other_than_requester: true }), true);
  // The list knows the roles of the user.
  assert.equal(waits({ approvers: ["manager"] }, [{ ...call, may_approve: true }]), false);
  assert.equal(waits({}, [{ ...call, may_approve: false }]), true);
});

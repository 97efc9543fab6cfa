// Requests to a service whose connections hang.

import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { window } from "./dom.mjs";

Object.assign(globalThis, {
  location: window.location,
  addEventListener: window.addEventListener.bind(window),
  removeEventListener: window.removeEventListener.bind(window),
});
globalThis.fetch = (url, request) => service(request);
let service;

const { Api, Offline } = await import("../../ui/api.js");

const api = () => new Api({ isNeeded: false, token: async () => null });

/** A response whose headers come, and whose body does not before the request is aborted. */
function hanging({ signal }, status = 200) {
  const body = new ReadableStream({ start: (controller) => signal.addEventListener("abort", () => controller.error(signal.reason)) });
  return Promise.resolve(new Response(body, { status }));
}

/** Awaits a promise while the time goes on. */
async function inTime(promise) {
  let isSettled = false;
  promise.then(() => (isSettled = true), () => (isSettled = true));
  for (let step = 0; !isSettled; step += 1) {
    assert.ok(step < 1_000, "the request has no end");
    mock.timers.tick(500);
    for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
  return promise;
}

async function withTimers(use) {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  try {
    await use();
  } finally {
    mock.timers.reset();
  }
}

for (const status of [200, 409, 503]) {
  test(`a body that does not come after status ${status} is a lost response`, () => withTimers(async () => {
    let requests = 0;
    service = (request) => {
      requests += 1;
      return requests < 3 ? hanging(request, status) : Promise.resolve(new Response(JSON.stringify({ id: "s" })));
    };
    assert.deepEqual(await inTime(api().session("s")), { id: "s" });
    assert.equal(requests, 3);
    requests = -10;
    await assert.rejects(inTime(api().rewind("s", "m")), Offline);
  }));
}

test("a stream has no time limit after its headers", () => withTimers(async () => {
  service = (request) => hanging(request);
  const response = await api().request("runs/r/events", { isStream: true });
  mock.timers.tick(3_600_000);
  assert.equal(await Promise.race([response.text(), Promise.resolve("open")]), "open");
}));

test("a response without content has none", async () => {
  service = () => Promise.resolve(new Response(null, { status: 204, headers: { "x-a": "b" } }));
  const response = await api().request("sessions/s", { method: "DELETE" });
  assert.deepEqual([response.status, response.headers.get("x-a"), await response.text()], [204, "b", ""]);
});

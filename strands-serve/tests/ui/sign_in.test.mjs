// The screen and the dialog for signing in.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { attached, window } from "./dom.mjs";

Object.assign(globalThis, {
  location: window.location,
  localStorage: window.localStorage,
  sessionStorage: window.sessionStorage,
  addEventListener: window.addEventListener.bind(window),
  removeEventListener: window.removeEventListener.bind(window),
});
// jsdom has no dialogs that are shown.
Object.assign(window.HTMLDialogElement.prototype, {
  showModal() {
    this.open = true;
  },
  close(value) {
    this.returnValue = value;
    this.dispatchEvent(new window.Event("close"));
  },
});

const { forgetUser, shared, storagePrefix } = await import("../../ui/storage.js");
const { SignIn } = await import("../../ui/sign_in.js");
const { signInAgain, signInScreen } = await import("../../ui/sign_in_view.js");

const oidc = () => new SignIn({ kind: "oidc", issuer: "https://issuer.example", client_id: "page", scopes: [] }, () => {});
const button = (root, text) => [...root.querySelectorAll("button")].find((it) => it.textContent === text);

/** What another tab has stored. */
function storedElsewhere(value, key = "token") {
  const name = storagePrefix + key;
  const oldValue = window.localStorage.getItem(name);
  shared.set(key, value);
  window.dispatchEvent(new window.StorageEvent("storage", { key: name, oldValue, newValue: window.localStorage.getItem(name) }));
}

/** Resolves with "waits" if a promise has not settled soon. */
function settled(promise) {
  return Promise.race([promise.then(() => "done"), new Promise((resolve) => setImmediate(() => setImmediate(resolve, "waits")))]);
}

beforeEach(forgetUser);

test("the screen ends when another tab has signed in", async () => {
  const root = attached();
  const shown = signInScreen(root, "Agent", oidc(), null);
  assert.ok(button(root, "Sign in"));
  storedElsewhere("a draft", "draft:x");
  storedElsewhere(null);
  assert.equal(await settled(shown), "waits");
  storedElsewhere({ access: "new" });
  assert.equal(await settled(shown), "done");
  assert.equal(root.childElementCount, 0);
});

test("the dialog ends when another tab has signed in again, and not when a renewal failed there", async () => {
  shared.set("token", { access: "old", refresh: "r" });
  attached();
  const shown = signInAgain(oidc());
  storedElsewhere({ access: "old", refresh: null });
  assert.equal(await settled(shown), "waits");
  storedElsewhere({ access: "new" });
  assert.equal(await settled(shown), "done");
});

test("without HTTPS, the screen says so, and a token can be pasted", async () => {
  const crypto = Object.getOwnPropertyDescriptor(globalThis, "crypto");
  Object.defineProperty(globalThis, "crypto", { configurable: true, value: { getRandomValues: (bytes) => bytes } });
  try {
    const root = attached();
    const shown = signInScreen(root, "Agent", oidc(), null);
    assert.match(root.querySelector("[role=alert]").textContent, /needs HTTPS/);
    assert.equal(button(root, "Sign in"), undefined);
    root.querySelector("textarea").value = "token";
    root.querySelector("form").dispatchEvent(new window.Event("submit", { cancelable: true }));
    assert.equal(await settled(shown), "done");
    assert.equal(shared.get("token").access, "token");
  } finally {
    Object.defineProperty(globalThis, "crypto", crypto);
  }
});

// What the browser keeps of a user is for nobody else.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { window } from "./dom.mjs";

globalThis.location = { origin: "https://agent.example", pathname: "/", href: "https://agent.example/", search: "", hash: "", reload() {}, assign() {} };
globalThis.localStorage = window.localStorage;
globalThis.sessionStorage = window.sessionStorage;

const { drafts, forgetUser, ofTab, ownPage, pending, shared } = await import("../../ui/storage.js");
const { SignIn } = await import("../../ui/sign_in.js");

const token = (sub) => `h.${btoa(JSON.stringify({ sub }))}.s`;
const pasted = () => new SignIn({ kind: "token" }, () => {});

/** Signs a user in, on a page of theirs. */
function signedIn(access) {
  const signIn = pasted();
  signIn.useToken(access);
  ownPage();
  return signIn;
}

/** Resolves with "waits" if a promise has not settled soon. */
function settled(promise) {
  return Promise.race([promise, new Promise((resolve) => setImmediate(() => setImmediate(resolve, "waits")))]);
}

beforeEach(() => {
  forgetUser();
  ownPage();
});

for (const [name, access] of [["a JSON Web Token", token("alice")], ["an opaque token", "opaque"]]) {
  test(`a page that is left after the sign-out keeps nothing: ${name}`, async () => {
    const signIn = signedIn(access);
    drafts.set(null, "kept");
    assert.equal(drafts.get(null), "kept");
    assert.equal(await signIn.signOut(), true);
    drafts.set(null, "secret");
    pending.set({ body: { prompt: "secret" } });
    assert.deepEqual([shared.keys(), ofTab.keys()], [[], []]);
  });
}

test("a draft and a prompt on its way are not for the next user", () => {
  signedIn(token("alice"));
  drafts.set("session", "secret");
  pending.set({ runId: "run", body: { prompt: "secret" } });
  const [draft, left] = [shared.keys().find((key) => key.startsWith("draft:")), ofTab.get("pending")];
  // Signed out in another tab: it has another storage, and this one may write a draft late.
  forgetUser();
  shared.set(draft, "secret");
  ofTab.set("pending", left);
  signedIn(token("bob"));
  assert.deepEqual([drafts.get("session"), pending.get()], ["", null]);
  signedIn(token("alice"));
  ofTab.set("pending", left);
  assert.equal(pending.get().runId, "run");
});

test("a page of one user has no token of another", async () => {
  const page = signedIn(token("alice"));
  assert.equal(await page.token(), token("alice"));
  page.useToken(token("bob"));
  assert.equal(await settled(page.token()), "waits");
  ownPage();
  assert.equal(await page.token(), token("bob"));
});

test("a renewal keeps the token for the sign-out, and does not undo it", async () => {
  const issuer = "https://issuer.example";
  const signIn = new SignIn({ kind: "oidc", issuer, client_id: "page", scopes: [] }, () => {});
  shared.set("subject", "alice");
  ownPage();
  let meanwhile = () => {};
  globalThis.fetch = async (url) => {
    const discovery = { issuer, token_endpoint: `${issuer}/token` };
    if (String(url).includes("openid-configuration")) return { ok: true, json: async () => discovery };
    meanwhile();
    return { ok: true, json: async () => ({ access_token: token("alice"), expires_in: 60 }) };
  };
  const expired = { access: "old", refresh: "refresh", id: "id", expires: Date.now() };
  shared.set("token", expired);
  assert.equal(await signIn.token(), token("alice"));
  const { refresh, id } = shared.get("token");
  assert.deepEqual([refresh, id], ["refresh", "id"]);
  shared.set("token", expired);
  const signedOut = new Promise((resolve) => (meanwhile = () => resolve(forgetUser())));
  signIn.token();
  await signedOut;
  // The rest of the renewal has nothing to wait for.
  assert.equal(await settled(new Promise(() => {})), "waits");
  assert.equal(shared.get("token"), null);
});

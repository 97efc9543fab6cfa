// Sign-in: an OpenID Connect issuer with PKCE, a pasted token, or none. Tabs share the token, and renew it one at a time.

import { forgetUser, isOwnPage, ofTab, shared, storagePrefix } from "./storage.js";

/** A token is renewed when it is valid for less than this. */
const MARGIN_MS = 30_000;

function base64url(bytes) {
  return btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

function random() {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

/** Returns the claims of a JSON Web Token, for display. The service verifies it. */
export function claimsOf(token) {
  try {
    const bytes = Uint8Array.from(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return {};
  }
}

/** Time after which a tab sees what another has stored: the storage of tabs in other processes lags behind locks. */
const SYNC_MS = 200;

/** Calls a function when another tab has signed in. Returns a function that ends this. */
export function whenSignedInElsewhere(work) {
  const access = (text) => JSON.parse(text ?? "null")?.access ?? null;
  const heard = ({ key, oldValue, newValue }) => {
    if (key === `${storagePrefix}token` && access(newValue) !== null && access(newValue) !== access(oldValue)) work();
  };
  addEventListener("storage", heard);
  return () => removeEventListener("storage", heard);
}

/** Runs a function in one tab at a time. */
function alone(work) {
  if (!navigator.locks) return work();
  const name = `${storagePrefix}sign-in`;
  return navigator.locks.request(name, { ifAvailable: true }, (lock) => {
    if (lock) return work();
    return navigator.locks.request(name, async () => {
      await new Promise((resolve) => setTimeout(resolve, SYNC_MS));
      return work();
    });
  });
}

export class SignIn {
  #settings;
  #discovered = null;
  #prompt = null;

  /** `ask()` shows the sign-in, and resolves once there is a token. */
  constructor(settings, ask) {
    this.#settings = settings;
    this.#prompt = ask;
    this.waiting = null;
  }

  get isNeeded() {
    return this.#settings.kind !== "none";
  }

  get isOidc() {
    return this.#settings.kind === "oidc";
  }

  /** False if the browser has no cryptography for the sign-in at an issuer: it has that with HTTPS, and on this machine. */
  get canStart() {
    return Boolean(globalThis.crypto?.subtle);
  }

  get isSignedIn() {
    return !this.isNeeded || Boolean(shared.get("token")?.access);
  }

  /** Name of the user, if the token has one. */
  get userName() {
    const stored = shared.get("token");
    if (!stored) return null;
    const claims = { ...claimsOf(stored.access), ...claimsOf(stored.id ?? "") };
    return claims.name ?? claims.preferred_username ?? claims.username ?? claims["cognito:username"] ?? claims.email ?? claims.sub ?? null;
  }

  /** Returns a token that is valid for a while, or null. It never sends what a page of one user has with the token of another. */
  async token() {
    if (!this.isNeeded) return null;
    await this.#ownPage();
    const stored = shared.get("token");
    if (stored?.refresh && stored.expires && stored.expires - Date.now() < MARGIN_MS) await this.#refresh(stored.access);
    await this.#ownPage();
    return shared.get("token")?.access ?? null;
  }

  /** Waits for good if the page is of a user who is not signed in any more: it is about to be left. */
  #ownPage() {
    return isOwnPage() ? undefined : new Promise(() => {});
  }

  /** Gets a new token in place of one that was refused; by the user if need be. */
  async renew(refused, signal) {
    await this.#refresh(refused);
    const token = shared.get("token")?.access;
    if (!token || token === refused) await this.required(signal);
  }

  /** Waits until the user has signed in again. */
  async required(signal) {
    this.waiting ??= Promise.resolve(this.#prompt()).finally(() => (this.waiting = null));
    const aborted = new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason), { once: true }));
    await Promise.race([this.waiting, aborted]);
  }

  useToken(token) {
    this.#keep({ access: token.trim().replace(/^Bearer\s+/i, "") });
  }

  #keep(token) {
    // Tokens without claims are of users who can't be told apart, but not of one who is signed out.
    const subject = claimsOf(token.access).sub ?? "";
    const last = shared.get("subject");
    // What is here of one user is not for the next: neither drafts, nor conversations on the page.
    const isOther = last !== null && last !== subject;
    if (isOther) forgetUser();
    shared.set("subject", subject);
    shared.set("token", token);
    if (isOther) location.reload();
  }

  /** Goes to the issuer's page. */
  async start() {
    const { authorization_endpoint } = await this.#discover();
    const flow = { state: random(), verifier: random(), hash: location.hash };
    ofTab.set("flow", flow);
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(flow.verifier));
    const url = new URL(authorization_endpoint);
    const parameters = {
      ...this.#settings.parameters,
      response_type: "code",
      client_id: this.#settings.client_id,
      redirect_uri: redirectUri(),
      scope: this.#settings.scopes.join(" "),
      state: flow.state,
      code_challenge: base64url(digest),
      code_challenge_method: "S256",
    };
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    location.assign(url);
  }

  /** Continues after the issuer's page has sent the user back. Returns an error for the user, or null. */
  async finish() {
    const query = new URLSearchParams(location.search);
    const flow = ofTab.get("flow");
    if (!this.isOidc || !(query.has("code") || query.has("error"))) return null;
    ofTab.remove("flow");
    history.replaceState(null, "", redirectUri() + (flow?.hash ?? ""));
    if (!flow || query.get("state") !== flow.state) return "The sign-in did not start here. Try again.";
    if (query.has("iss") && query.get("iss") !== this.#settings.issuer) return "Another issuer has responded.";
    if (query.has("error")) return query.get("error_description") || `The issuer refused the sign-in: ${query.get("error")}.`;
    try {
      const tokens = await this.#request({ grant_type: "authorization_code", code: query.get("code"), redirect_uri: redirectUri(), code_verifier: flow.verifier });
      this.#keep(tokens);
      return null;
    } catch (error) {
      return `The sign-in failed: ${error.message}`;
    }
  }

  /** Forgets the user here, and at the issuer. Resolves with false if the page is left. */
  async signOut() {
    const stored = shared.get("token");
    forgetUser();
    if (!this.isOidc || !stored?.refresh && !stored?.id) return true;
    let endpoints = {};
    try {
      endpoints = await this.#discover();
      if (endpoints.revocation_endpoint && stored.refresh) {
        const body = new URLSearchParams({ token: stored.refresh, client_id: this.#settings.client_id });
        await fetch(endpoints.revocation_endpoint, { method: "POST", body, signal: AbortSignal.timeout(3_000) });
      }
    } catch {
      // The tokens expire by themselves.
    }
    if (!endpoints.end_session_endpoint) return true;
    const url = new URL(endpoints.end_session_endpoint);
    url.searchParams.set("client_id", this.#settings.client_id);
    url.searchParams.set("post_logout_redirect_uri", redirectUri());
    // The name of Amazon Cognito.
    url.searchParams.set("logout_uri", redirectUri());
    if (stored.id) url.searchParams.set("id_token_hint", stored.id);
    location.assign(url);
    return false;
  }

  async #refresh(refused) {
    if (!this.isOidc) return;
    await alone(async () => {
      const stored = shared.get("token");
      // Another tab has renewed it.
      if (!stored?.refresh || stored.access !== refused) return;
      try {
        const tokens = await this.#request({ grant_type: "refresh_token", refresh_token: stored.refresh });
        // The user may have signed out meanwhile.
        if (shared.get("token")?.refresh !== stored.refresh) return;
        shared.set("token", { ...tokens, refresh: tokens.refresh ?? stored.refresh, id: tokens.id ?? stored.id });
      } catch (error) {
        // A refused token is of no use any more; a network that is down may come back.
        if (error.isRefused && shared.get("token")?.refresh === stored.refresh) shared.set("token", { ...stored, refresh: null });
      }
    });
  }

  async #request(parameters) {
    const { token_endpoint } = await this.#discover();
    const body = new URLSearchParams({ ...parameters, client_id: this.#settings.client_id });
    const response = await fetch(token_endpoint, { method: "POST", body, signal: AbortSignal.timeout(15_000) });
    const tokens = await response.json().catch(() => ({}));
    if (!response.ok || !tokens.access_token) {
      const error = new Error(tokens.error_description || tokens.error || `status ${response.status}`);
      error.isRefused = response.status >= 400 && response.status < 500;
      throw error;
    }
    const expires = tokens.expires_in ? Date.now() + tokens.expires_in * 1000 : null;
    return { access: tokens.access_token, refresh: tokens.refresh_token, id: tokens.id_token, expires };
  }

  async #discover() {
    if (this.#discovered) return this.#discovered;
    const url = `${this.#settings.issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
    const response = await fetch(url, { signal: AbortSignal.timeout(15_000) });
    if (!response.ok) throw new Error(`the issuer has no discovery document (status ${response.status})`);
    const document = await response.json();
    if (document.issuer !== this.#settings.issuer) throw new Error("the discovery document is of another issuer");
    this.#discovered = document;
    return document;
  }
}

function redirectUri() {
  return location.origin + location.pathname;
}

// Signs in at the issuer without a browser: OIDC code flow with PKCE, and the form of its login page.
import { createHash, randomBytes } from "node:crypto";

const REDIRECT = "http://127.0.0.1:9/callback";

export class SignIn {
  static async start(issuer, username, password, { clientId = "travel-page", scope = "openid profile offline_access" } = {}) {
    const discovery = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
    const verifier = randomBytes(32).toString("base64url");
    const state = randomBytes(8).toString("hex");
    const query = new URLSearchParams({
      response_type: "code",
      client_id: clientId,
      redirect_uri: REDIRECT,
      scope,
      state,
      nonce: randomBytes(8).toString("hex"),
      code_challenge: createHash("sha256").update(verifier).digest("base64url"),
      code_challenge_method: "S256",
    });
    const page = await fetch(`${discovery.authorization_endpoint}?${query}`);
    const form = await page.text();
    if (!page.ok) throw new Error(`the login page: ${page.status} ${form.slice(0, 200)}`);
    const cookie = page.headers.getSetCookie().map((it) => it.split(";")[0]).join("; ");
    const fields = new URLSearchParams();
    for (const [input] of form.matchAll(/<input[^>]*type="hidden"[^>]*>/g)) {
      fields.set(attribute(input, "name"), attribute(input, "value"));
    }
    fields.set("username", username);
    fields.set("password", password);
    const action = attribute(form.match(/<form[^>]*>/)?.[0] ?? "", "action");
    const target = new URL(action || page.url, page.url);
    const sent = await fetch(target, {
      method: "POST",
      body: fields,
      headers: { cookie, origin: new URL(issuer).origin },
      redirect: "manual",
    });
    const location = sent.headers.get("location");
    if (!location?.startsWith(REDIRECT)) throw new Error(`${username} can't sign in: ${sent.status} ${await sent.text()}`);
    const returned = new URL(location).searchParams;
    if (returned.get("state") !== state) throw new Error("the state is another one");
    const signIn = new SignIn();
    Object.assign(signIn, { endpoint: discovery.token_endpoint, clientId, username });
    await signIn.request({ grant_type: "authorization_code", code: returned.get("code"), redirect_uri: REDIRECT, code_verifier: verifier });
    return signIn;
  }

  async request(fields) {
    const body = new URLSearchParams({ client_id: this.clientId, ...fields });
    const response = await fetch(this.endpoint, { method: "POST", body });
    const tokens = await response.json();
    if (!response.ok) throw new Error(`${this.username}: no token: ${response.status} ${JSON.stringify(tokens)}`);
    this.tokens = { ...this.tokens, ...tokens };
    this.expires = Date.now() + tokens.expires_in * 1000;
  }

  // Returns an access token that is valid for a while.
  async token() {
    if (this.expires - Date.now() < 30_000) {
      this.refreshing ??= this.request({ grant_type: "refresh_token", refresh_token: this.tokens.refresh_token })
        .finally(() => (this.refreshing = undefined));
      await this.refreshing;
    }
    return this.tokens.access_token;
  }

  get claims() {
    return claimsOf(this.tokens.access_token);
  }
}

export function claimsOf(token) {
  return JSON.parse(Buffer.from(token.split(".")[1], "base64url").toString());
}

function attribute(element, name) {
  const value = element.match(new RegExp(`\\s${name}="([^"]*)"`))?.[1] ?? "";
  return value.replace(/&quot;/g, '"').replace(/&#x27;|&#39;/g, "'").replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
}

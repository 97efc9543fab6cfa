// Issuer of tokens with any claims: discovery, keys, and no login page.
import { createServer } from "node:http";
import { generateKeyPairSync, sign, randomUUID } from "node:crypto";
import { once } from "node:events";

export class OwnIssuer {
  static async start() {
    const issuer = new OwnIssuer();
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    issuer.key = privateKey;
    const jwk = { ...publicKey.export({ format: "jwk" }), kid: "own", alg: "ES256", use: "sig" };
    issuer.http = createServer((request, response) => {
      response.setHeader("access-control-allow-origin", "*");
      response.setHeader("content-type", "application/json");
      const documents = {
        "/jwks.json": { keys: [jwk] },
        "/.well-known/openid-configuration": {
          issuer: issuer.url, jwks_uri: `${issuer.url}/jwks.json`, authorization_endpoint: `${issuer.url}/authorize`,
          token_endpoint: `${issuer.url}/token`, response_types_supported: ["code"], id_token_signing_alg_values_supported: ["ES256"],
        },
      };
      const found = documents[request.url];
      response.statusCode = found ? 200 : 404;
      response.end(JSON.stringify(found ?? {}));
    });
    issuer.http.listen(0, "127.0.0.1");
    await once(issuer.http, "listening");
    issuer.url = `http://127.0.0.1:${issuer.http.address().port}`;
    return issuer;
  }

  token(claims) {
    const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const now = Math.floor(Date.now() / 1000);
    const all = { iss: this.url, aud: "travel-agent", client_id: "travel-page", iat: now, exp: now + 3600, jti: randomUUID(), ...claims };
    const signed = `${part({ alg: "ES256", typ: "at+jwt", kid: "own" })}.${part(all)}`;
    return `${signed}.${sign("sha256", Buffer.from(signed), { key: this.key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
  }

  close() {
    this.http.closeAllConnections();
    this.http.close();
  }
}

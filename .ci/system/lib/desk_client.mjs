// Client of the MCP server, with service tokens of its own: JSON-RPC over HTTP, and HS256 by Node's crypto.
import { createHmac } from "node:crypto";

const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

export function serviceToken(secret, claims, header = { alg: "HS256", typ: "JWT" }) {
  const now = Math.floor(Date.now() / 1000);
  const signed = `${encoded(header)}.${encoded({ iat: now, exp: now + 300, ...claims })}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

export async function callTool(url, token, name, input = {}) {
  const response = await fetch(url, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": "2025-06-18",
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: input } }),
    signal: AbortSignal.timeout(300_000),
  });
  const text = await response.text();
  if (!response.ok) return { status: response.status, text };
  // The response is JSON, or one event with it.
  const { result, error } = JSON.parse(text.match(/^data: (\{.*)$/m)?.[1] ?? text);
  return { status: 200, isError: Boolean(error ?? result.isError), text: error ? error.message : result.content.map((it) => it.text).join("") };
}

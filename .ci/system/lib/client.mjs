// Client of a user on HTTP: prompts, streams that are continued after a lost connection, approvals and sessions.
import { pause } from "./random.mjs";

// Long, since the S3 server of the tests is one thread of Python, which a hundred users keep busy.
const TIMEOUT_MS = 300_000;
// Refusals after which the same request is sent again.
const BUSY = new Set([409, 429, 502, 503, 504]);

export class Client {
  // `token` is a function; `seen` gets each body, so that a check can look for texts of others.
  constructor(base, token, seen = () => {}) {
    Object.assign(this, { base, token, seen, requests: 0, refused: 0, lost: 0 });
  }

  async send(method, path, body, { headers = {}, timeout = TIMEOUT_MS } = {}) {
    this.requests += 1;
    return await fetch(this.base + path, {
      method,
      headers: {
        authorization: `Bearer ${await this.token()}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(timeout),
    });
  }

  async json(method, path, body, options) {
    const response = await this.send(method, path, body, options);
    const text = await response.text();
    this.seen(text, `${method} ${path}`);
    return { status: response.status, body: text ? JSON.parse(text) : undefined };
  }

  // Sends a request until it isn't refused because the service is busy, or cut off.
  async persist(method, path, body, { limit = 60_000, statuses = BUSY } = {}) {
    const end = Date.now() + limit;
    for (;;) {
      let outcome;
      try {
        outcome = await this.json(method, path, body, { timeout: 20_000 });
        if (!statuses.has(outcome.status)) return outcome;
        this.refused += 1;
      } catch (error) {
        this.lost += 1;
        outcome = error;
      }
      if (Date.now() > end) throw new Error(`${method} ${path} is refused for ${limit} ms`, { cause: outcome });
      await pause(150 + Math.random() * 200);
    }
  }

  // Prompts on the stream. Returns the events, once each, also after lost connections.
  async stream(body, { reconnects = 20, onEvent = () => {} } = {}) {
    let response = await this.send("POST", "/prompt/stream", body);
    const events = [];
    const turn = { status: response.status, events, reconnects: 0 };
    if (!response.ok) {
      turn.problem = await this.problem(response);
      return turn;
    }
    const run = response.headers.get("location");
    turn.run = run?.match(/runs\/([^/]+)/)?.[1];
    let last;
    for (;;) {
      try {
        for await (const { id, kind, data } of frames(response.body)) {
          this.seen(data, "stream");
          const event = JSON.parse(data);
          if (kind === "failure") return { ...turn, problem: event };
          last = id;
          events.push(event);
          onEvent(event);
          if (event.type === "result") return { ...turn, result: event.response };
        }
      } catch {
        // The connection is lost; the run may go on.
      }
      for (;;) {
        if (turn.reconnects >= reconnects) return turn;
        turn.reconnects += 1;
        this.lost += 1;
        await pause(200);
        try {
          response = await this.send("GET", run, undefined, { headers: last ? { "last-event-id": last } : {} });
        } catch {
          continue;
        }
        if (response.ok) break;
        turn.problem = await this.problem(response);
        // 409: it hasn't ended in another process, or was cut off; 404: its session doesn't have it.
        if (![409, 502, 503].includes(response.status)) return turn;
      }
    }
  }

  async problem(response) {
    const text = await response.text();
    this.seen(text, "problem");
    try {
      return JSON.parse(text);
    } catch {
      return { status: response.status, detail: text };
    }
  }
}

async function* frames(body) {
  let unread = "";
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    const parts = (unread + text).split("\n\n");
    unread = parts.pop();
    for (const part of parts) {
      const lines = part.split("\n");
      const field = (name) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      const data = field("data");
      if (data) yield { id: field("id"), kind: field("event"), data };
    }
  }
}

export const textOf = (message) => (message?.content ?? []).map((part) => part.text ?? "").join("");

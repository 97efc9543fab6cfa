// Requests to the service: with the token, a time limit, and typed errors.

const BASE = new URL(".", location.href);
const TIMEOUT_MS = 20_000;
const ATTEMPTS = 5;

/** An error of the service: the JSON of RFC 9457. */
export class Problem extends Error {
  constructor(problem) {
    super(problem.detail || problem.title || `The request failed (${problem.status}).`);
    this.name = "Problem";
    this.status = problem.status;
    this.code = problem.code ?? "";
    this.retryAfter = problem.retry_after ?? null;
  }

  /** True if the same request may succeed a moment later. */
  get isTemporary() {
    return this.status === 429 || this.status === 503 || this.status === 502 && this.code === "" || this.status === 504;
  }

  static async of(response) {
    const retryAfter = Number(response.headers.get("retry-after")) || null;
    let body = null;
    try {
      body = await response.json();
    } catch {
      // A proxy responded.
    }
    return new Problem({ title: response.statusText, retry_after: retryAfter, ...body, status: response.status });
  }
}

/** The service can't be reached. */
export class Offline extends Error {
  constructor() {
    super("The service can't be reached.");
    this.name = "Offline";
  }
}

/** True if the service may have acted on a request, and its response was lost: on the way, or in a proxy. */
function isLost(error) {
  return error instanceof Offline || error instanceof TypeError || (error instanceof Problem && error.isTemporary && error.code === "");
}

/** Waits; ends early when the network or the page comes back. Rejects when it is aborted. */
export function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const done = (end) => () => {
      clearTimeout(timer);
      removeEventListener("online", awake);
      document.removeEventListener("visibilitychange", shown);
      signal?.removeEventListener("abort", aborted);
      end();
    };
    const awake = done(resolve);
    const shown = () => document.visibilityState === "visible" && awake();
    const aborted = done(() => reject(signal.reason));
    const timer = setTimeout(awake, ms);
    if (signal?.aborted) return aborted();
    addEventListener("online", awake);
    document.addEventListener("visibilitychange", shown);
    signal?.addEventListener("abort", aborted);
  });
}

/** Time before an attempt, in milliseconds: grows, and differs between pages, so that they don't come back all at once. */
export function backoff(attempt, longest = 10_000) {
  return Math.min(longest, 400 * 2 ** Math.min(attempt, 10)) * (0.6 + 0.4 * Math.random());
}

export class Api {
  /** `signIn` gives tokens. */
  constructor(signIn) {
    this.signIn = signIn;
  }

  /** Sends a request, and returns its response: whole, or once the headers are there if it is a stream. The time limit is for that. */
  async request(path, { method = "GET", body, headers = {}, signal, timeout = TIMEOUT_MS, isStream = false } = {}) {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    for (let isRenewed = false; ; isRenewed = true) {
      const token = await this.signIn.token();
      const sent = { ...headers };
      if (token) sent.authorization = `Bearer ${token}`;
      if (payload !== undefined) sent["content-type"] = "application/json";
      const response = await this.#send(path, { method, body: payload, headers: sent }, signal, timeout, isStream);
      if (response.status === 401 && this.signIn.isNeeded) {
        // The token has expired, or was revoked. After one renewal, the user must sign in again, and nothing is lost.
        if (isRenewed) await this.signIn.required(signal);
        else await this.signIn.renew(token, signal);
        continue;
      }
      if (!response.ok) throw await Problem.of(response);
      return response;
    }
  }

  async #send(path, request, signal, timeout, isStream) {
    const controller = new AbortController();
    const stop = () => controller.abort();
    if (signal?.aborted) throw signal.reason;
    // It stops the body of a stream, too.
    signal?.addEventListener("abort", stop, { once: true });
    const timer = setTimeout(stop, timeout);
    try {
      const response = await fetch(new URL(path, BASE), { ...request, signal: controller.signal, cache: "no-store", credentials: "same-origin" });
      if (isStream && response.ok) return response;
      // The connection may hang after the headers as well.
      const bytes = await response.arrayBuffer();
      const { status, statusText } = response;
      return new Response(bytes.byteLength ? bytes : null, { status, statusText, headers: response.headers });
    } catch {
      if (signal?.aborted) throw signal.reason;
      throw new Offline();
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Sends a request that may be repeated, again while the service is away or busy. Returns its JSON. An error with `mayBeDone` comes
   * after an attempt whose response was lost.
   */
  async json(path, options = {}) {
    let mayBeDone = false;
    for (let attempt = 0; ; attempt += 1) {
      try {
        const response = await this.request(path, options);
        return response.status === 204 ? null : await response.json();
      } catch (error) {
        mayBeDone ||= isLost(error);
        const isTemporary = isLost(error) || (error instanceof Problem && (error.isTemporary || error.code === "session_busy"));
        if (options.signal?.aborted || !isTemporary || attempt + 1 >= (options.attempts ?? ATTEMPTS)) throw Object.assign(error, { mayBeDone });
        await pause(error.retryAfter ? error.retryAfter * 1000 : backoff(attempt), options.signal);
      }
    }
  }

  sessions(query, signal) {
    const search = query ? `&q=${encodeURIComponent(query)}` : "";
    return this.json(`sessions?limit=200${search}`, { signal });
  }

  session(id, signal) {
    return this.json(`sessions/${encodeURIComponent(id)}`, { signal });
  }

  rename(id, title) {
    return this.json(`sessions/${encodeURIComponent(id)}`, { method: "PATCH", body: { title } });
  }

  remove(id) {
    return this.json(`sessions/${encodeURIComponent(id)}`, { method: "DELETE" });
  }

  rewind(id, messageId) {
    return this.json(`sessions/${encodeURIComponent(id)}/rewind`, { method: "POST", body: { message_id: messageId } });
  }

  approvals(signal) {
    return this.json("approvals", { signal, attempts: 1 });
  }

  cancel(runId) {
    return this.request(`runs/${encodeURIComponent(runId)}`, { method: "DELETE" });
  }
}

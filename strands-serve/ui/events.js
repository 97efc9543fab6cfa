// Server-sent events of a response.

// The service sends a comment each 15 seconds; a connection without one for longer is dead, such as after sleep.
const SILENCE_MS = 40_000;

/**
 * Reads the events of a response: `{id, event, data}`. It ends with the connection, also if that fails or is silent for too long.
 */
export async function* readEvents(response, signal) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let heard = Date.now();
  const stop = () => reader.cancel().catch(() => {});
  const check = () => Date.now() - heard > SILENCE_MS && stop();
  const timer = setInterval(check, 5_000);
  // Timers don't run while the machine sleeps.
  document.addEventListener("visibilitychange", check);
  addEventListener("offline", stop);
  signal?.addEventListener("abort", stop);
  const fields = new EventFields();
  try {
    while (!signal?.aborted) {
      let chunk;
      try {
        chunk = await reader.read();
      } catch {
        return;
      }
      if (chunk.done) return;
      heard = Date.now();
      yield* fields.push(chunk.value);
    }
  } finally {
    clearInterval(timer);
    document.removeEventListener("visibilitychange", check);
    removeEventListener("offline", stop);
    signal?.removeEventListener("abort", stop);
    stop();
  }
}

/** Parser of the text of a stream. */
export class EventFields {
  #rest = [];
  #event = { id: null, event: "message", data: [] };

  /** Returns the events that end in a chunk. A line may be in many chunks. */
  *push(chunk) {
    const lines = chunk.split("\n");
    if (lines.length === 1) {
      this.#rest.push(chunk);
      return;
    }
    lines[0] = this.#rest.join("") + lines[0];
    this.#rest = [lines.pop()];
    for (const line of lines) {
      const event = this.#line(line.endsWith("\r") ? line.slice(0, -1) : line);
      if (event) yield event;
    }
  }

  #line(line) {
    if (line === "") {
      const { id, event, data } = this.#event;
      this.#event = { id: null, event: "message", data: [] };
      return data.length ? { id, event, data: data.join("\n") } : null;
    }
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") this.#event.data.push(value);
    else if (name === "id" || name === "event") this.#event[name] = value;
    return null;
  }
}

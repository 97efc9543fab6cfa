// Messages between the tabs of the page.

import { storagePrefix } from "./storage.js";

export class Tabs {
  #channel = "BroadcastChannel" in globalThis ? new BroadcastChannel(storagePrefix) : null;

  /** Handlers by the kind of message. */
  listen(handlers) {
    this.#channel?.addEventListener("message", ({ data }) => handlers[data?.kind]?.(data));
  }

  send(kind, values) {
    this.#channel?.postMessage({ kind, ...values });
  }
}

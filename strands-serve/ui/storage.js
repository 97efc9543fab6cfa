// What the page keeps in the browser: the sign-in, drafts, and the prompt that is on its way.
// Browsers may refuse storage; then all of it lives as long as the page.

// Several services may be on one origin, below different paths.
const PREFIX = `strands:${new URL(".", location.href).pathname}:`;

function store(area) {
  const memory = new Map();
  const read = (key) => {
    try {
      return area().getItem(PREFIX + key);
    } catch {
      return memory.get(key) ?? null;
    }
  };
  return {
    get(key) {
      try {
        return JSON.parse(read(key));
      } catch {
        return null;
      }
    },
    /** Returns false if the value does not fit. */
    set(key, value) {
      const text = JSON.stringify(value);
      try {
        area().setItem(PREFIX + key, text);
        return true;
      } catch {
        memory.set(key, text);
        return false;
      }
    },
    remove(key) {
      memory.delete(key);
      try {
        area().removeItem(PREFIX + key);
      } catch {
        // There is none.
      }
    },
    keys() {
      try {
        return Object.keys(area()).filter((key) => key.startsWith(PREFIX)).map((key) => key.slice(PREFIX.length));
      } catch {
        return [...memory.keys()];
      }
    },
  };
}

/** Shared by the tabs of the browser. */
export const shared = store(() => localStorage);
/** Of this tab alone; survives a reload. */
export const ofTab = store(() => sessionStorage);

export const storagePrefix = PREFIX;

/** Removes all that belongs to a user. */
export function forgetUser() {
  for (const area of [shared, ofTab]) area.keys().forEach((key) => area.remove(key));
}

/** The draft of a conversation; `null` is a new one. */
export const drafts = {
  get: (sessionId) => shared.get(`draft:${sessionId ?? "new"}`) ?? "",
  set(sessionId, text) {
    const key = `draft:${sessionId ?? "new"}`;
    if (text) shared.set(key, text);
    else shared.remove(key);
  },
};

/** The prompt that has been sent, until its run has ended: a reload comes back to it. */
export const pending = {
  get: () => ofTab.get("pending"),
  set(value) {
    // Large attachments may not fit; then a reload finds the run in its session.
    if (!ofTab.set("pending", value)) ofTab.set("pending", { ...value, body: null });
  },
  clear: () => ofTab.remove("pending"),
};

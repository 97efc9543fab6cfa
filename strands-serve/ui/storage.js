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

let owner = null;

/** Makes this the page of the user who is signed in. */
export function ownPage() {
  owner = shared.get("subject");
}

/** False once the user has signed out, or another one has signed in, here or in another tab: this page is about to be left. */
export function isOwnPage() {
  return shared.get("subject") === owner;
}

/** The draft of a conversation of the user; `null` is a new one. */
export const drafts = {
  get: (sessionId) => shared.get(draftKey(sessionId)) ?? "",
  set(sessionId, text) {
    // A page writes its draft when it is left, which must not undo the sign-out.
    if (text && isOwnPage()) shared.set(draftKey(sessionId), text);
    else if (!text) shared.remove(draftKey(sessionId));
  },
};

function draftKey(sessionId) {
  return `draft:${JSON.stringify([owner, sessionId ?? null])}`;
}

/** The prompt that has been sent, until its run has ended: a reload comes back to it. */
export const pending = {
  /** Returns that of the user: one who has signed out in another tab has left it here. */
  get() {
    const value = ofTab.get("pending");
    return value?.owner === owner ? value : null;
  },
  set(value) {
    if (!isOwnPage()) return;
    // Large attachments may not fit; then a reload finds the run in its session.
    if (!ofTab.set("pending", { ...value, owner })) ofTab.set("pending", { ...value, owner, body: null });
  },
  clear: () => ofTab.remove("pending"),
};

// The part of the page that scrolls: it follows what grows at its end, unless the user has scrolled away.

import { el, iconButton } from "./dom.js";

/** Distance from the end at which it is followed, in pixels. */
const NEAR = 80;

export class ScrollFollower {
  #isFollowing = true;
  #frame = null;
  #latest;

  constructor() {
    // With the focus, so that keys scroll an answer that has nothing else to focus.
    this.element = el("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": "Conversation" });
    this.#latest = iconButton("arrowDown", "Latest", () => this.toEnd(true), { class: "latest", hidden: true });
    /** The button that goes to the end, in a row without height. */
    this.row = el("div", { class: "latest-row" }, this.#latest);
    this.element.addEventListener("scroll", () => this.#onScroll(), { passive: true });
    new ResizeObserver(() => this.grow()).observe(this.element);
  }

  /** Follows with the next frame, once for all that has grown. */
  grow() {
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = null;
      if (this.#isFollowing) this.toEnd();
    });
  }

  toEnd(isSmooth = false) {
    this.#isFollowing = true;
    const behavior = isSmooth && !matchMedia("(prefers-reduced-motion: reduce)").matches ? "smooth" : "instant";
    this.element.scrollTo({ top: this.element.scrollHeight, behavior });
  }

  #onScroll() {
    const { scrollHeight, scrollTop, clientHeight } = this.element;
    this.#isFollowing = scrollHeight - scrollTop - clientHeight < NEAR;
    this.#latest.hidden = this.#isFollowing;
  }
}

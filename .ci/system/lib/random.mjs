// Pseudo-random numbers with a seed, and markers that belong to one user.
import { randomBytes } from "node:crypto";

export class Random {
  constructor(seed) {
    this.state = seed >>> 0;
  }

  // mulberry32
  next() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = this.state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }

  below(limit) {
    return Math.floor(this.next() * limit);
  }

  pick(list) {
    return list[this.below(list.length)];
  }

  between(least, most) {
    return least + this.next() * (most - least);
  }
}

// An id of letters alone: digits may look like the number of a card to the redaction of personal data.
export const letters = () => [...randomBytes(16)].map((byte) => String.fromCharCode(97 + (byte % 26))).join("");

export const marker = () => `marker-${letters()}`;

export const MARKER = /marker-[a-z]{16}/g;

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Runs of `*`, `_` and `~~`, and the emphasis between them: the CommonMark algorithm, in linear time.

const SPACE = /\s/u;
const PUNCTUATION = /[\p{P}\p{S}]/u;

/** Stack of runs that may open or close emphasis, as a linked list from the outermost to the newest. */
export class Delimiters {
  constructor() {
    this.top = null;
    this.count = 0;
  }

  /**
   * Adds a run of a character. Its token gets the marks of the emphasis that it closes and opens.
   *
   * @param {{closes: string[], text: string, opens: string[]}} token
   * @param {string} before Character in front of the run, or an empty string.
   * @param {string} after Character behind the run, or an empty string.
   */
  push(token, before, after) {
    const char = token.text[0];
    const [spaceBefore, spaceAfter] = [isSpace(before), isSpace(after)];
    const [punctuationBefore, punctuationAfter] = [PUNCTUATION.test(before), PUNCTUATION.test(after)];
    const isLeft = !spaceAfter && (!punctuationAfter || spaceBefore || punctuationBefore);
    const isRight = !spaceBefore && (!punctuationBefore || spaceAfter || punctuationAfter);
    const isWordBound = char === "_";
    const canOpen = isLeft && (!isWordBound || !isRight || punctuationBefore);
    const canClose = isRight && (!isWordBound || !isLeft || punctuationAfter);
    if (!canOpen && !canClose) return;
    const { length } = token.text;
    this.count += 1;
    const run = { token, char, length, original: length, canOpen, canClose, order: this.count, previous: this.top, next: null };
    if (this.top) this.top.next = run;
    this.top = run;
  }

  remove(run) {
    if (run.previous) run.previous.next = run.next;
    if (run.next) run.next.previous = run.previous;
    else this.top = run.previous;
  }

  /** Matches all runs above `bottom`, and removes them. */
  match(bottom) {
    const floor = bottom?.order ?? 0;
    // For each kind of closing run: the order of the newest run below which there is no opening one.
    const searched = new Map();
    if (this.top === bottom) return;
    let closing = this.top;
    while (closing.previous && closing.previous !== bottom) closing = closing.previous;
    while (closing) {
      if (!closing.canClose) {
        closing = closing.next;
        continue;
      }
      const kind = `${closing.char}${closing.canOpen}${closing.original % 3}`;
      const limit = searched.get(kind) ?? floor;
      let opening = closing.previous;
      while (opening && opening.order > limit && !fits(opening, closing)) opening = opening.previous;
      if (opening && opening.order > limit) {
        closing = this.pair(opening, closing);
        continue;
      }
      searched.set(kind, closing.previous?.order ?? 0);
      const { next } = closing;
      if (!closing.canOpen) this.remove(closing);
      closing = next;
    }
    this.top = bottom;
    if (bottom) bottom.next = null;
  }

  /** Marks emphasis between two runs. Returns the next closing run. */
  pair(opening, closing) {
    const width = opening.length >= 2 && closing.length >= 2 ? 2 : 1;
    const name = opening.char === "~" ? "del" : width === 2 ? "strong" : "em";
    for (const run of [opening, closing]) {
      run.length -= width;
      run.token.text = run.token.text.slice(width);
    }
    opening.token.opens.push(name);
    closing.token.closes.push(name);
    opening.next = closing;
    closing.previous = opening;
    if (opening.length === 0) this.remove(opening);
    if (closing.length > 0) return closing;
    this.remove(closing);
    return closing.next;
  }
}

function isSpace(char) {
  return char === "" || SPACE.test(char);
}

function fits(opening, closing) {
  if (opening.char !== closing.char || !opening.canOpen) return false;
  if (opening.char === "~") return opening.length === closing.length;
  // A run that opens and closes does not match another if their lengths add up to a multiple of three, unless both are.
  const isAmbiguous = closing.canOpen || opening.canClose;
  return !isAmbiguous || (opening.original + closing.original) % 3 !== 0 || closing.original % 3 === 0;
}

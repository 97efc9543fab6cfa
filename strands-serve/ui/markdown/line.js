// Cursor in a line of Markdown. Tabs advance to the next multiple of four columns, and may be consumed in part.

const CODE_INDENT = 4;

export class Line {
  /** @param {string} text A line without its end. */
  constructor(text) {
    this.text = text;
    this.offset = 0;
    this.column = 0;
    this.partialTab = false;
    this.findNonspace();
  }

  /** Finds the next character that is no space or tab: its position and indentation. */
  findNonspace() {
    let position = this.offset;
    let column = this.column;
    for (; position < this.text.length; position += 1) {
      const char = this.text[position];
      if (char === " ") column += 1;
      else if (char === "\t") column += 4 - (column % 4);
      else break;
    }
    this.next = position;
    this.nextColumn = column;
    this.indent = column - this.column;
    this.isBlank = position >= this.text.length;
    this.isIndented = this.indent >= CODE_INDENT;
  }

  /** Advances over a number of characters. */
  skip(characters) {
    for (let left = characters; left > 0 && this.offset < this.text.length; left -= 1) this.skipColumns(1, true);
    this.findNonspace();
  }

  /** Advances over columns of white space, perhaps into the middle of a tab. */
  skipIndent(columns) {
    this.skipColumns(columns, false);
    this.findNonspace();
  }

  skipColumns(columns, wholeTabs) {
    let left = columns;
    while (left > 0 && this.offset < this.text.length) {
      if (this.text[this.offset] !== "\t") {
        this.offset += 1;
        this.column += 1;
        left -= 1;
        this.partialTab = false;
        continue;
      }
      const width = 4 - (this.column % 4);
      if (wholeTabs || width <= left) {
        this.offset += 1;
        this.column += width;
        left -= wholeTabs ? 1 : width;
        this.partialTab = false;
      } else {
        this.column += left;
        left = 0;
        this.partialTab = true;
      }
    }
  }

  skipToNonspace() {
    this.offset = this.next;
    this.column = this.nextColumn;
    this.partialTab = false;
    this.findNonspace();
  }

  /** Returns true if a space or tab is at the cursor. */
  atSpace() {
    const char = this.text[this.offset];
    return char === " " || char === "\t";
  }

  /** Matches a sticky pattern at the next character that is no space. */
  match(pattern) {
    pattern.lastIndex = this.next;
    return pattern.exec(this.text);
  }

  /** Returns the rest of the line; a tab that was consumed in part becomes spaces. */
  rest() {
    if (!this.partialTab) return this.text.slice(this.offset);
    return " ".repeat(4 - (this.column % 4)) + this.text.slice(this.offset + 1);
  }
}

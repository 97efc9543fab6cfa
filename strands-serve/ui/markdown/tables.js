// Rows of tables.

/**
 * Splits a row at `|`; `\|` is a `|` in a cell.
 *
 * @param {string} text
 * @returns {string[]}
 */
export function tableRow(text) {
  const row = text.trim();
  const cells = [];
  let cell = "";
  let start = row[0] === "|" ? 1 : 0;
  let position = start;
  for (; position < row.length; position += 1) {
    if (row[position] === "\\") {
      if (row[position + 1] === "|") {
        cell += row.slice(start, position);
        start = position + 1;
      }
      position += 1;
    } else if (row[position] === "|") {
      cells.push((cell + row.slice(start, position)).trim());
      cell = "";
      start = position + 1;
    }
  }
  if (start < row.length || cell) cells.push((cell + row.slice(start)).trim());
  return cells;
}

/**
 * Returns the alignments of the row below the header, such as `| :-- | --: |`, or `null` if the line is none.
 *
 * @param {string} text
 * @returns {("start" | "center" | "end" | "")[] | null}
 */
export function columnAlignments(text) {
  if (!text.includes("|")) return null;
  const alignments = [];
  for (const cell of tableRow(text)) {
    if (!/^:?-+:?$/.test(cell)) return null;
    const [starts, ends] = [cell.startsWith(":"), cell.endsWith(":")];
    alignments.push(starts && ends ? "center" : ends ? "end" : starts ? "start" : "");
  }
  return alignments.length ? alignments : null;
}

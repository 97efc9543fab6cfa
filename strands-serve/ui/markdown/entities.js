// Character references and backslash escapes. Named references are those that prose uses; others stay as they are written.

const NAMED = {
  amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0", copy: "©", reg: "®", trade: "™", hellip: "…",
  mdash: "—", ndash: "–", lsquo: "‘", rsquo: "’", ldquo: "“", rdquo: "”", laquo: "«", raquo: "»", bull: "•",
  middot: "·", deg: "°", euro: "€", pound: "£", yen: "¥", cent: "¢", sect: "§", para: "¶", times: "×",
  divide: "÷", plusmn: "±", minus: "−", le: "≤", ge: "≥", ne: "≠", asymp: "≈", infin: "∞", frac12: "½",
  frac14: "¼", frac34: "¾", larr: "←", rarr: "→", uarr: "↑", darr: "↓", harr: "↔", auml: "ä", ouml: "ö",
  uuml: "ü", Auml: "Ä", Ouml: "Ö", Uuml: "Ü", szlig: "ß", aelig: "æ", AElig: "Æ", eacute: "é", egrave: "è",
  agrave: "à", ccedil: "ç", ntilde: "ñ", oslash: "ø", aring: "å",
};

export const ENTITY = /&(?:#[xX]([0-9a-fA-F]{1,6})|#([0-9]{1,7})|([a-zA-Z][a-zA-Z0-9]{1,31}));/y;
/** Punctuation that a backslash escapes. */
export const ESCAPABLE = /[!-/:-@[-`{-~]/;
const ESCAPE_OR_ENTITY = /\\[!-/:-@[-`{-~]|&(?:#[xX][0-9a-fA-F]{1,6}|#[0-9]{1,7}|[a-zA-Z][a-zA-Z0-9]{1,31});/g;

/** Returns the character of a match of {@link ENTITY}, or `null` for an unknown name. */
export function entityCharacter([, hexadecimal, decimal, name]) {
  if (name) return Object.hasOwn(NAMED, name) ? NAMED[name] : null;
  const code = hexadecimal ? Number.parseInt(hexadecimal, 16) : Number.parseInt(decimal, 10);
  const isValid = code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
  return isValid ? String.fromCodePoint(code) : "\ufffd";
}

/** Resolves backslash escapes and character references. */
export function unescapeText(text) {
  return text.replace(ESCAPE_OR_ENTITY, (found) => {
    if (found[0] === "\\") return found[1];
    ENTITY.lastIndex = 0;
    return entityCharacter(ENTITY.exec(found)) ?? found;
  });
}

// Offsets on the server count Unicode code points; JavaScript strings count UTF-16 units.
// These are the only functions that convert between the two. Pure: no DOM.

/** How many code points `text` has. */
export function countPoints(text) {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** The index in UTF-16 units of the code point number `points` of `text`. */
export function utf16Index(text, points) {
  let index = 0;
  for (const character of text) {
    if (points <= 0) break;
    points -= 1;
    index += character.length;
  }
  return index;
}

const WORD = /^[\p{L}\p{N}\p{M}_]$/u;
// Scripts written without spaces between words: there a selection is taken as it is.
const UNSPACED =
  /^[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Thai}\p{scx=Laoo}\p{scx=Khmr}\p{scx=Mymr}]$/u;

const joins = (character) => WORD.test(character) && !UNSPACED.test(character);
const after = (text, index) => String.fromCodePoint(text.codePointAt(index) ?? 0x20);

function before(text, index) {
  const low = text.charCodeAt(index - 1);
  const paired = low >= 0xdc00 && low <= 0xdfff && index > 1;
  return text.slice(index - (paired ? 2 : 1), index);
}

/** `index` (UTF-16), moved back to the edge of the word it stands inside of. */
export function wordStart(text, index) {
  if (index >= text.length || !joins(after(text, index))) return index;
  while (index > 0 && joins(before(text, index))) index -= before(text, index).length;
  return index;
}

/** `index` (UTF-16), moved on to the edge of the word it stands inside of. */
export function wordEnd(text, index) {
  if (index <= 0 || !joins(before(text, index))) return index;
  while (index < text.length && joins(after(text, index))) index += after(text, index).length;
  return index;
}

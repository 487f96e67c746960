// The keys of a `KeyboardEvent`, written as annotator/keys.py writes them.

const MODIFIERS = new Set(["Control", "Meta", "Alt", "Shift", "AltGraph", "CapsLock", "Dead"]);
const BRACKETS = { BracketLeft: "[{", BracketRight: "]}" };

/** The key that was pressed. On a Mac, Alt makes another character of most keys: there the place of
 * the key says which it is, as on an English keyboard. */
function plain({ key, code, altKey, shiftKey }) {
  const english = key.length === 1 && key <= "~";
  const named = key.length > 1 && key !== "Dead";
  if (!altKey || english || named) return key;
  if (BRACKETS[code]) return BRACKETS[code][Number(shiftKey)];
  return /^Key[A-Z]$/.test(code) ? code.at(-1) : key;
}

/** "Ctrl+Shift+z", "Alt+]", "?", …; null where a modifier alone, or none that is known, was pressed. */
export function combination(event) {
  // AltGr is how the character is typed on many keyboards, no modifier of its own.
  const typed = event.getModifierState("AltGraph");
  const written = typed ? event.key : plain(event);
  if (MODIFIERS.has(written) || written === "Unidentified") return null;
  const key = written === " " ? "Space" : written.length > 1 ? written : written.toLowerCase();
  const parts = [];
  if ((event.ctrlKey || event.metaKey) && !typed) parts.push("Ctrl");
  if (event.altKey && !typed) parts.push("Alt");
  if (event.shiftKey && (key.length > 1 || key !== key.toUpperCase())) parts.push("Shift");
  return [...parts, key].join("+");
}

// What hands do: which keys were pressed, what they mean to this person, and choosing words with the
// mouse, a finger or the keyboard.

// --- Keys ---------------------------------------------------------------------------------------
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

/** The keys of a `KeyboardEvent`, as annotator/keys.py writes them: "Ctrl+Shift+z", "Alt+]", "?", …;
 * null where a modifier alone, or none that is known, was pressed. */
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

/** Which label a digit gives, Shift for the second ten; null for other keys. */
export function digitOf({ code, shiftKey, ctrlKey, altKey, metaKey }) {
  const [, digit] = /^(?:Digit|Numpad)(\d)$/.exec(code) ?? [];
  if (!digit || ctrlKey || altKey || metaKey) return null;
  return ((Number(digit) + 9) % 10) + (shiftKey ? 10 : 0);
}

/** Whether what is pressed is for a field or a dialog, not for the page. */
export function isTyping(event) {
  const field = event.target.closest("input:not([type='checkbox']), textarea, select, [contenteditable]");
  return event.isComposing || event.keyCode === 229 || field || document.querySelector("dialog[open]");
}

const CAPS = { ArrowDown: "↓", ArrowUp: "↑", ArrowLeft: "←", ArrowRight: "→", Enter: "↵" };
const cap = (combo) => combo.split("+").map((key) => CAPS[key] ?? key).join(" ");

/** What the keys do for this person, who may have switched single ones off. */
export class Bindings {
  #actions = new Map();

  constructor({ keys, single_keys: mayBeSingle }) {
    Object.assign(this, { keys, mayBeSingle });
    for (const [action, combos] of Object.entries(keys)) {
      for (const combo of combos) this.#actions.set(combo, action);
    }
  }

  actionOf(combo) {
    return this.#actions.get(combo);
  }

  allow(combo) {
    return this.mayBeSingle || /Ctrl|Arrow/.test(combo);
  }

  /** Shows the keys where they work. */
  show() {
    for (const place of document.querySelectorAll("[data-key]")) {
      const [combo] = this.keys[place.dataset.key] ?? [];
      place.textContent = combo ? cap(combo) : "";
      place.hidden = !combo || !this.allow(combo);
    }
    for (const place of document.querySelectorAll("[data-keys]")) {
      const combos = this.keys[place.dataset.keys] ?? [];
      place.replaceChildren(...combos.flatMap((combo) => [keyOf(combo), " "]));
    }
  }
}

const keyOf = (combo) => Object.assign(document.createElement("kbd"), { textContent: cap(combo) });

// --- Choosing words -----------------------------------------------------------------------------
const selection = () => window.getSelection();

/** Chooses words that become a mention. Their labels open beside them; offsets go to `onAdd`. */
export class Selecting {
  #span = null;
  #picked = null;
  #pressed = false;
  #pause;

  /** `view` is the text, `menu` the labels; `say` reads out what is picked. */
  constructor(view, menu, { onAdd, say }) {
    Object.assign(this, { view, menu, onAdd, say });
    this.#listen();
  }

  /** Whether words are selected that wait for a label. */
  get isOpen() {
    return this.#span !== null;
  }

  contains(element) {
    return this.menu.contains(element);
  }

  close() {
    this.menu.hidden = true;
    this.#span = null;
    this.#picked = null;
  }

  /** Closes the menu and selects nothing any more; whether the focus was in the menu. */
  cancel() {
    const hadFocus = this.contains(document.activeElement);
    selection().removeAllRanges();
    this.close();
    return hadFocus;
  }

  /** Gives the selected words `label`. */
  choose(label) {
    const chosen = { ...this.#span, label };
    this.cancel();
    this.onAdd(chosen);
  }

  #open(adjust) {
    this.#span = this.view.selectedSpan();
    if (!this.#span) return this.close();
    const { start, end } = this.#span;
    const range = this.view.rangeOf(start, end);
    if (adjust) select(range);
    this.menu.querySelector(".label-menu-words").textContent = this.view.surface(start, end);
    this.menu.hidden = false;
    this.#place(range.getBoundingClientRect());
  }

  /** Below the words, or above where there is no room; on a narrow screen the style docks it. */
  #place(box) {
    const { offsetWidth: width, offsetHeight: height } = this.menu;
    const below = box.bottom + 8;
    const top = below + height > innerHeight ? Math.max(8, box.top - height - 8) : below;
    const left = Math.max(8, Math.min(box.left, innerWidth - width - 8));
    this.menu.style.setProperty("--left", `${left}px`);
    this.menu.style.setProperty("--top", `${top}px`);
  }

  #listen() {
    document.addEventListener("pointerdown", ({ target }) => {
      this.#pressed = true;
      if (!this.contains(target)) this.close();
    });
    document.addEventListener("pointerup", ({ target, pointerType }) => {
      this.#pressed = false;
      if (pointerType === "mouse" && !this.contains(target)) setTimeout(() => this.#open(true));
    });
    document.addEventListener("pointercancel", () => (this.#pressed = false));
    // A finger drags the handles of a selection without telling the page when it is done.
    document.addEventListener("selectionchange", () => {
      clearTimeout(this.#pause);
      this.#pause = setTimeout(() => this.#settle(), 300);
    });
    this.menu.addEventListener("pointerdown", (event) => event.preventDefault());
    this.menu.addEventListener("click", ({ target }) => {
      const button = target.closest("[data-add]");
      if (button && this.#span) this.choose(button.dataset.add);
    });
  }

  #settle() {
    if (this.#pressed || this.#picked) return;
    const now = this.view.selectedSpan();
    const moved = now && (now.start !== this.#span?.start || now.end !== this.#span?.end);
    if (moved) this.#open(false);
  }

  // --- Keyboard ---------------------------------------------------------------------------------
  /** Goes to the labels where words are selected; else begins to pick words at `offset`. */
  begin(offset) {
    if (this.#span) return void this.menu.querySelector("button")?.focus();
    const word = this.#wordAfter(offset) ?? this.#wordBefore(offset);
    if (!word) return;
    this.#picked = { first: word, last: word };
    this.#showPicked();
  }

  /** Handles a key while words are being picked; says whether it did. */
  pickingKey({ key, shiftKey }) {
    if (!this.#picked) return false;
    const line = this.view.at(this.#picked.last.start).node;
    const rightToLeft = getComputedStyle(line).direction === "rtl";
    const forward = rightToLeft ? "ArrowLeft" : "ArrowRight";
    if (key === "Enter") this.menu.querySelector("button")?.focus();
    else if (key === forward) this.#movePicked(this.#wordAfter(this.#picked.last.end), shiftKey);
    else if (key === "ArrowLeft" || key === "ArrowRight") {
      this.#movePicked(this.#wordBefore(this.#picked.last.start), shiftKey);
    } else return false;
    return true;
  }

  #wordAfter(offset) {
    const end = this.view.edge(offset, 1);
    return end > offset ? { start: this.view.edge(end, -1), end } : null;
  }

  #wordBefore(offset) {
    const start = this.view.edge(offset, -1);
    return start < offset ? { start, end: this.view.edge(start, 1) } : null;
  }

  #movePicked(word, grow) {
    if (!word) return;
    this.#picked = { first: grow ? this.#picked.first : word, last: word };
    this.#showPicked();
  }

  #showPicked() {
    const picked = this.#picked;
    const start = Math.min(picked.first.start, picked.last.start);
    const end = Math.max(picked.first.end, picked.last.end);
    const range = this.view.rangeOf(start, end);
    range.startContainer.parentElement?.scrollIntoView({ block: "nearest" });
    select(range);
    this.#open(false);
    this.#picked = picked;
    this.say(this.view.surface(start, end));
  }
}

function select(range) {
  selection().removeAllRanges();
  selection().addRange(range);
}

// Choosing words that become a mention: with the mouse, a finger or the keyboard. Their labels open
// beside them. Offsets go to `onAdd`; nothing here talks to the server.

const selection = () => window.getSelection();

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

  /** Closes the menu and selects nothing any more. */
  cancel() {
    selection().removeAllRanges();
    this.close();
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

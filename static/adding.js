// Adding a mention: select words with the mouse, a finger or the keyboard; its labels open beside
// them. Offsets go to `onAdd`; nothing here talks to the server.

import { rangeOf, selectedSpan, words } from "./textmap.js";

const menu = document.getElementById("label-menu");
const text = () => document.getElementById("text");
const selection = () => window.getSelection();

let span = null;
let picked = null;
let add = () => {};

/** Calls `onAdd({ start, end, label })` whenever selected words were given a label. */
export function listen(onAdd) {
  add = onAdd;
}

/** Whether words are selected that wait for a label. */
export const isOpen = () => span !== null;

export function close() {
  menu.hidden = true;
  span = null;
  picked = null;
}

/** Closes the menu and selects nothing any more. */
export function cancel() {
  selection().removeAllRanges();
  close();
}

/** Gives the selected words `label`. */
export function choose(label) {
  const chosen = { ...span, label };
  cancel();
  add(chosen);
}

// --- The menu -----------------------------------------------------------------------------------
function open(adjust) {
  span = selectedSpan(text());
  if (!span) return close();
  const range = rangeOf(text(), span.start, span.end);
  if (adjust) select(range);
  menu.querySelector(".label-menu-words").textContent = wordsIn(range);
  menu.hidden = false;
  place(range.getBoundingClientRect());
}

function wordsIn(range) {
  const copy = range.cloneContents();
  for (const tag of copy.querySelectorAll(".tag")) tag.remove();
  return copy.textContent;
}

function select(range) {
  selection().removeAllRanges();
  selection().addRange(range);
}

/** Below the words, or above where there is no room; on a narrow screen the style docks it. */
function place(box) {
  const { offsetWidth: width, offsetHeight: height } = menu;
  const below = box.bottom + 8;
  const top = below + height > innerHeight ? Math.max(8, box.top - height - 8) : below;
  menu.style.setProperty("--left", `${Math.max(8, Math.min(box.left, innerWidth - width - 8))}px`);
  menu.style.setProperty("--top", `${top}px`);
}

// --- Mouse and touch ----------------------------------------------------------------------------
let pressed = false;
let pause;

document.addEventListener("pointerdown", (event) => {
  pressed = true;
  if (!menu.contains(event.target)) close();
});
document.addEventListener("pointerup", (event) => {
  pressed = false;
  const byMouse = event.pointerType === "mouse" && !menu.contains(event.target);
  if (byMouse) setTimeout(() => open(true));
});
document.addEventListener("pointercancel", () => (pressed = false));
// A finger drags the handles of a selection without telling the page when it is done.
document.addEventListener("selectionchange", () => {
  clearTimeout(pause);
  pause = setTimeout(() => !pressed && !picked && selectionMoved() && open(false), 300);
});
menu.addEventListener("pointerdown", (event) => event.preventDefault());
menu.addEventListener("click", (event) => {
  const button = event.target.closest("[data-add]");
  if (button && span) choose(button.dataset.add);
});

function selectionMoved() {
  const now = selectedSpan(text());
  return now && (now.start !== span?.start || now.end !== span?.end);
}

// --- Keyboard -----------------------------------------------------------------------------------
/** Goes to the labels where words are selected; else begins to pick words in the focused line. */
export function begin() {
  if (span) return void menu.querySelector("button")?.focus();
  const all = words(text());
  if (!all.length) return;
  const line = text().querySelector(".mention.focus")?.closest(".line");
  const from = Number(line?.dataset.start ?? 0);
  const first = Math.max(0, all.findIndex((word) => word.start >= from));
  picked = { all, first, last: first };
  showPicked();
}

function showPicked() {
  const { all, first, last } = picked;
  const [low, high] = [Math.min(first, last), Math.max(first, last)];
  const range = rangeOf(text(), all[low].start, all[high].end);
  select(range);
  const keep = picked;
  open(false);
  picked = keep;
  document.getElementById("said").textContent = wordsIn(range);
}

function movePicked(direction, grow) {
  const { all, first, last } = picked;
  const to = Math.max(0, Math.min(all.length - 1, last + direction));
  picked = { all, first: grow ? first : to, last: to };
  showPicked();
}

/** Handles a key while words are being picked; says whether it did. */
export function pickingKey(event) {
  if (!picked) return false;
  const rightToLeft = getComputedStyle(text()).direction === "rtl";
  const forward = rightToLeft ? "ArrowLeft" : "ArrowRight";
  if (event.key === "Enter") menu.querySelector("button")?.focus();
  else if (event.key === forward) movePicked(1, event.shiftKey);
  else if (event.key === "ArrowLeft" || event.key === "ArrowRight") movePicked(-1, event.shiftKey);
  else return false;
  return true;
}

export const contains = (element) => menu.contains(element);
export const labels = [...menu.querySelectorAll("[data-add]")].map((button) => button.dataset.add);

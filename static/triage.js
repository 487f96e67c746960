// The triage page's keys. All that they do is to press the buttons that are there: htmx does the
// rest, and the page works without them.

import { Bindings, combination, isTyping } from "./gestures.js";

const $ = (id) => document.getElementById(id);
const bindings = new Bindings(JSON.parse($("bindings").textContent));

// --- Groups and sentences -----------------------------------------------------------------------
const GROUP = "[data-group]";
const focused = (selector) => document.activeElement?.closest(selector);
const current = () => focused(GROUP) ?? document.querySelector(GROUP);

/** To the next group, or the next sentence of one that is open; for -1 to the one before. */
function move(by) {
  const stops = [...document.querySelectorAll(".opener, .row input")];
  const here = focused(".row")?.querySelector("input") ?? focused(GROUP)?.querySelector(".opener");
  const next = here ? stops[stops.indexOf(here) + by] : stops[0];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

/** Presses a button of the current group; whether there was one. It is for the checked sentences,
 * else for the one in focus, else for all. */
function press(selector) {
  const group = current();
  const button = group?.querySelector(selector);
  const box = focused(".row")?.querySelector("input");
  if (button && box && !group.querySelector(".row :checked")) box.checked = true;
  button?.click();
  return Boolean(button);
}

// What is decided goes: the focus goes on to what then takes its place.
document.addEventListener("htmx:configRequest", ({ detail }) => {
  const row = focused(".row");
  if (row) detail.parameters.set("row", [...row.parentElement.children].indexOf(row));
});

/** Takes a preview away, unanswered. */
function dismiss(preview) {
  if (!preview?.hasChildNodes()) return false;
  preview.replaceChildren();
  preview.closest(GROUP).querySelector(".opener").focus();
  return true;
}

// --- Keys ---------------------------------------------------------------------------------------
const ACTS = {
  next: () => move(1),
  previous: () => move(-1),
  accept: () => press('[data-act="accept"]'),
  reject: () => press('[data-act="reject"]'),
  take_llm: () => press('[data-act="take_llm"]'),
  undo: () => document.querySelector('#act [data-act="undo"]')?.click(),
  redo: () => document.querySelector('#act [data-act="redo"]')?.click(),
  search: () => $("words").focus(),
  help: () => $("keys").showModal(),
};

function handled(event) {
  const combo = combination(event);
  if (!combo) return false;
  if (combo === "Escape") return dismiss(current()?.querySelector(".preview"));
  if (!bindings.allow(combo)) return false;
  if (/^[0-9]$/.test(combo)) return press(`[data-digit="${combo}"]`);
  const act = ACTS[bindings.actionOf(combo)];
  act?.();
  return Boolean(act);
}

document.addEventListener("keydown", (event) => {
  if (!event.repeat && !isTyping(event) && handled(event)) event.preventDefault();
});

document.addEventListener("click", ({ target }) => {
  if (target.closest("[data-dismiss]")) dismiss(target.closest(".preview"));
});

// --- Telling ------------------------------------------------------------------------------------
function trouble(words = "") {
  $("trouble").textContent = words;
  $("trouble").hidden = !words;
}

// Whoever pressed and sees nothing change must hear why: nothing was decided, or nobody knows.
const NO_ANSWER = "No answer from the server. Load the page again to see how things stand.";
document.addEventListener("htmx:beforeRequest", () => trouble());
document.addEventListener("htmx:sendError", () => trouble(NO_ANSWER));
document.addEventListener("htmx:timeout", () => trouble(NO_ANSWER));
document.addEventListener("htmx:responseError", ({ detail }) =>
  trouble(`The server said ${detail.xhr.status}, and did nothing. Load the page again.`),
);
document.addEventListener("htmx:load", () => bindings.show());
document.addEventListener("htmx:oobAfterSwap", () => {
  $("said").textContent = document.querySelector("#act p")?.textContent ?? "";
});
bindings.show();

// The review page. Every decision is sent at once, one after the other; the answer is the
// document as it stands then. Without this script the same forms work, one page load each.

import * as adding from "./adding.js";

const state = document.getElementById("state");
const keys = document.getElementById("keys");
const csrf = JSON.parse(document.body.getAttribute("hx-headers"));
const SILENCE = 20_000;

const page = () => document.getElementById("document");
const text = () => document.getElementById("text");
const focused = () => page().dataset.focus;
const tagOf = (id) => document.getElementById(`m${id}`);
const needing = () => [...text().querySelectorAll(".mention.needs.last")];

// --- Telling ------------------------------------------------------------------------------------
function tell(kind, words, said = "") {
  state.dataset.state = kind;
  state.textContent = words;
  if (said) document.getElementById("said").textContent = said;
}

// --- Saving -------------------------------------------------------------------------------------
let busy = false;
let unsaved = null;
let waiting = [];

function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** Sends a decision; what is typed meanwhile waits its turn. */
function decide(makeDecision) {
  if (busy) return void waiting.push(makeDecision);
  const decision = unsaved ?? makeDecision();
  if (!decision) return;
  decision.id ??= newId();
  decision.version ??= page().dataset.version;
  send(decision);
}

async function send(decision) {
  busy = true;
  tell("saving", "Saving…");
  try {
    const response = await fetch(page().dataset.decide, {
      method: "POST",
      headers: { ...csrf, "HX-Request": "true" },
      body: new URLSearchParams(decision),
      signal: AbortSignal.timeout(SILENCE),
    });
    await settle(response, decision);
  } catch {
    keep(decision, "no answer from the server.");
  } finally {
    busy = false;
  }
  const next = waiting.shift();
  if (next) decide(next);
}

async function settle(response, decision) {
  if (response.redirected) return keep(decision, "you are signed out. Sign in in another tab.");
  if (response.status === 403) return keep(decision, "you were signed out. Reload the page.");
  if (![200, 409, 422].includes(response.status)) {
    return keep(decision, `the server said ${response.status}.`);
  }
  unsaved = null;
  replace("document", await response.text());
  if (!response.ok) waiting = [];
  if (response.status === 409) tell("failed", "Not saved: the document has changed");
  else if (response.status === 422) tell("failed", "Not saved");
  else tell("saved", "Saved", `Saved. ${page().dataset.said}.`);
  adding.close();
  show(tagOf(focused()));
}

/** Remembers what could not be saved, so that the next key or click sends it first. */
function keep(decision, why) {
  unsaved = decision;
  waiting = [];
  tell("failed", `Not saved: ${why} Press here to try again`);
}

function replace(id, html) {
  const fresh = new DOMParser().parseFromString(html, "text/html").getElementById(id);
  if (fresh) document.getElementById(id).replaceWith(document.adoptNode(fresh));
}

state.addEventListener("click", () => unsaved && decide(() => null));
window.addEventListener("beforeunload", (event) => {
  if (busy || unsaved) event.preventDefault();
});

// --- The mention in focus -----------------------------------------------------------------------
function show(tag) {
  if (!tag) return;
  tag.focus({ preventScroll: true });
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  tag.scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
}

let asking = new AbortController();

async function focus(id) {
  page().dataset.focus = id;
  for (const mark of text().querySelectorAll(".mention")) {
    mark.classList.toggle("focus", mark.dataset.mention === id);
  }
  for (const tag of text().querySelectorAll(".tag[aria-current]")) tag.removeAttribute("aria-current");
  tagOf(id)?.setAttribute("aria-current", "true");
  show(tagOf(id));
  asking.abort();
  asking = new AbortController();
  try {
    const url = `${page().dataset.url}?mention=${id}&part=panel`;
    const { signal } = asking;
    const response = await fetch(url, { headers: { "HX-Request": "true" }, signal });
    if (response.ok && !response.redirected) replace("panel", await response.text());
  } catch (error) {
    if (error.name !== "AbortError") tell("failed", "The details did not load: no connection");
  }
}

/** To the next (or, for -1, previous) mention that needs a person; of all where none does. */
function step(direction) {
  const needed = needing();
  const marks = needed.length ? needed : [...text().querySelectorAll(".mention.last")];
  if (!marks.length) return;
  const all = [...text().querySelectorAll(".mention.last")];
  const here = all.findIndex((mark) => mark.dataset.mention === focused());
  const order = direction > 0 ? marks : marks.toReversed();
  const beyond = (mark) => direction * (all.indexOf(mark) - here) > 0;
  focus((order.find(beyond) ?? order[0]).dataset.mention);
}

// The page opens at what is in focus, without taking the keyboard's place.
text().querySelector(".mention.focus")?.scrollIntoView({ block: "nearest" });

// --- Keys ---------------------------------------------------------------------------------------
const SETTLED = { accept: "accepted", reject: "rejected" };

/** Accepts or rejects what is in focus; what is so already is passed over. */
const onMention = (action) => () => {
  const id = focused();
  if (!id) return null;
  const settled = tagOf(id).parentElement.classList.contains(SETTLED[action]);
  return settled ? step(1) : { action, mention: id };
};

function label(name) {
  if (!name) return;
  if (adding.isOpen()) return adding.choose(name);
  decide(() => {
    const id = focused();
    if (!id) return null;
    if (tagOf(id).parentElement.dataset.label === name) return onMention("accept")();
    return { action: "relabel", mention: id, label: name };
  });
}

function submit() {
  if (busy) return void waiting.push(() => void submit());
  const form = document.getElementById("submit");
  if (form) form.requestSubmit();
  else document.getElementById("next")?.click();
}

const KEYS = {
  a: () => decide(onMention("accept")),
  x: () => decide(onMention("reject")),
  j: () => step(1),
  k: () => step(-1),
  ArrowDown: () => step(1),
  ArrowUp: () => step(-1),
  n: adding.begin,
  "?": () => keys.showModal(),
  Escape: adding.cancel,
};

function typing(event) {
  const field = event.target.closest("input, textarea, select, [contenteditable]");
  return event.isComposing || event.keyCode === 229 || field || keys.open;
}

function handled(event) {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) return submit(), true;
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  if (adding.contains(event.target) && event.key === "Enter") return false;
  if (adding.pickingKey(event)) return true;
  if (event.shiftKey && event.key.startsWith("Arrow")) return false;
  if (/^[0-9]$/.test(event.key)) return label(adding.labels[(Number(event.key) + 9) % 10]), true;
  const act = KEYS[event.key];
  act?.();
  return Boolean(act);
}

document.addEventListener("keydown", (event) => {
  if (!typing(event) && handled(event)) event.preventDefault();
});

// --- Mouse and touch ----------------------------------------------------------------------------
document.addEventListener("click", (event) => {
  const mark = event.target.closest(".mention");
  if (!mark || !text().contains(mark) || !window.getSelection().isCollapsed) return;
  event.preventDefault();
  focus(mark.dataset.mention);
});

adding.listen((chosen) => decide(() => ({ action: "add", ...chosen })));

document.addEventListener("submit", (event) => {
  if (event.target.matches("[data-decision]")) {
    event.preventDefault();
    const given = Object.fromEntries(new FormData(event.target, event.submitter));
    const { action, mention, label: name } = given;
    decide(() => (action === "relabel" ? { action, mention, label: name } : { action, mention }));
  } else if (event.target.id === "submit" && (busy || unsaved)) {
    event.preventDefault();
    if (unsaved) decide(() => null);
    else submit();
  }
});

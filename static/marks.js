// How things look and read: a mention's mark in the text and the tag behind it, the panel about it,
// how the document stands, and the dialogs beside it.

import { isOpen, needsPerson, newId, sameSpan } from "./sheet.js";

const $ = (id) => document.getElementById(id);
const SOURCES = {
  local: ["model", "local model"],
  llm: ["LLM", "LLM"],
  person: ["you", "person"],
  import: ["file", "file"],
  sweep: ["found by LLM", "LLM reading the sentence"],
};
const numberOf = (mention) => (mention.u == null ? "" : mention.u.toFixed(2).replace(/^0/, ""));
const stateOf = (mention) => (isOpen(mention) && mention.maybe ? "maybe" : mention.state);

let colours = {};

/** How far the span is lit, 0…10: fully once a person decided, else by certainty. */
function light(mention) {
  if (!isOpen(mention)) return 10;
  if (mention.right != null) return Math.round(10 * mention.right);
  if (mention.source === "sweep") return 0;
  return mention.u == null ? 10 : Math.round(10 * (1 - mention.u));
}

/** Where the span went: to the LLM, to you. */
function wentTo(mention) {
  const [short] = SOURCES[mention.source];
  if (!isOpen(mention)) return "";
  const before = mention.asked && mention.source === "local" ? "LLM" : short;
  return needsPerson(mention) ? `${before} → you` : before;
}

const looks = new WeakMap();

/** All that is seen of a mention, as one string: what looks the same is not drawn again. */
export function lookOf(mention) {
  if (!looks.has(mention)) {
    const { start, end, label, source, u, asked, reason } = mention;
    const seen = [start, end, label, source, u, asked, reason, light(mention), stateOf(mention), needsPerson(mention)];
    looks.set(mention, seen.join());
  }
  return looks.get(mention);
}

export function markOf(mention, isFocus) {
  const mark = document.createElement("span");
  const classes = ["mention", stateOf(mention), `label-${colours[mention.label]}`, `lit-${light(mention)}`];
  if (needsPerson(mention)) classes.push("needs");
  if (isFocus) classes.push("focus");
  mark.className = classes.join(" ");
  mark.mention = mention;
  return mark;
}

function part(className, words) {
  const span = document.createElement("span");
  span.className = className;
  span.textContent = words;
  return span;
}

/** The tag, and the button that rejects at one press. */
export function tagOf(mention, isFocus, surface) {
  // No button: that would be a box of its own, which may wrap away from the words that it names.
  const tag = document.createElement("span");
  const state = stateOf(mention);
  Object.assign(tag, { className: "tag", dir: "ltr", tabIndex: 0, title: mention.reason ?? "" });
  tag.setAttribute("role", "button");
  tag.setAttribute("aria-label", said(mention, surface));
  if (isFocus) tag.setAttribute("aria-current", "true");
  if (state === "accepted") tag.append(part("sign", "✓"));
  if (state === "rejected") tag.append(part("sign", "✕"));
  tag.append(part("name", state === "maybe" ? `${mention.label}?` : mention.label));
  if (isOpen(mention) && numberOf(mention)) tag.append(part("u", numberOf(mention)));
  if (wentTo(mention)) tag.append(part("sign", wentTo(mention)));
  if (state === "rejected") return [tag];
  const drop = part("drop", "");
  const button = document.createElement("button");
  Object.assign(button, { type: "button", tabIndex: -1, textContent: "×", title: "Reject" });
  button.setAttribute("aria-label", `Reject ${surface}`);
  drop.append(button);
  return [tag, drop];
}

/** How the mention is read out. */
function said(mention, surface) {
  const { label } = mention;
  const source = `suggested by ${SOURCES[mention.source][1]}`;
  const states = {
    accepted: `${label}, decided`,
    rejected: `not ${label}, rejected`,
    maybe: `perhaps ${label}, ${source}`,
    suggested: `${label}, ${source}`,
  };
  const parts = [surface, states[stateOf(mention)]];
  if (isOpen(mention) && numberOf(mention)) parts.push(`uncertainty ${numberOf(mention)}`);
  if (needsPerson(mention)) parts.push("needs you");
  return parts.join(", ");
}

// --- The panel ----------------------------------------------------------------------------------
function statusOf(mention) {
  const source = SOURCES[mention.source][1];
  if (mention.state === "rejected") return "Rejected. Accept or relabel it to bring it back.";
  if (mention.state === "accepted") {
    if (mention.source === "person") return "Accepted. A person said so.";
    if (mention.source === "import") return "Accepted. It came with the file.";
    return `Accepted by a person. The ${source} suggested it.`;
  }
  if (needsPerson(mention)) return mention.reason || "A person is asked.";
  const u = numberOf(mention) && `, uncertainty ${numberOf(mention)}`;
  return `Suggested by the ${source}${u}. It does not need you.`;
}

function shorten(words, most = 90) {
  const points = [...words];
  return points.length > most ? `${points.slice(0, most - 1).join("")}…` : words;
}

/** Shows the mention in focus; `null` where there is none. */
export function showPanel(sheet, mention, view) {
  const main = $("panel-main");
  $("panel").classList.toggle("none", !mention);
  $("panel-none").hidden = Boolean(mention);
  main.hidden = !mention;
  if (!mention) return showWhy(sheet, null);
  const surface = view.surface(mention.start, mention.end);
  const state = stateOf(mention);
  const colour = `label-${colours[mention.label]}`;
  main.querySelector(".surface").className = `surface ${colour} ${state}`;
  main.querySelector(".surface q").textContent = shorten(surface);
  main.querySelector(".surface .chip").className = `chip ${colour}`;
  main.querySelector(".surface .chip").textContent = state === "maybe" ? `${mention.label}?` : mention.label;
  main.querySelector(".status").textContent = statusOf(mention);
  main.querySelector(".status").classList.toggle("lit-dot", needsPerson(mention));
  main.querySelector("[data-act=accept]").disabled = mention.state === "accepted";
  main.querySelector("[data-act=reject]").disabled = mention.state === "rejected";
  for (const button of main.querySelectorAll("[data-label]")) {
    button.setAttribute("aria-pressed", String(button.dataset.label === mention.label));
  }
  showTaken(main, mention);
  whenIdle(() => showElsewhere(main, sheet, mention, view, surface));
  showWhy(sheet, mention);
}

// To look through a long text would keep a key from being seen; the last one asked for is enough.
let looking;
const idle = window.requestIdleCallback ?? ((act) => setTimeout(act, 50));
const unidle = window.cancelIdleCallback ?? clearTimeout;

function whenIdle(act) {
  unidle(looking);
  looking = idle(act, { timeout: 300 });
}

/** The buttons that take the LLM's or the local model's label, where they say something else. */
function showTaken(main, mention) {
  for (const [who, action] of [["llm", "take_llm"], ["local", "take_model"]]) {
    const button = main.querySelector(`[data-act=${action}]`);
    const says = mention[who];
    button.hidden = !says || (says === mention.label && mention.state !== "rejected");
    button.querySelector(".says").textContent = says === "O" ? "not an entity" : (says ?? "");
  }
  main.querySelector(".taken").hidden = !main.querySelector(".taken button:not([hidden])");
}

function showElsewhere(main, sheet, mention, view, surface) {
  const places = [...view.occurrences(surface)].filter(([start]) => start !== mention.start);
  const line = main.querySelector(".elsewhere");
  line.hidden = !places.length;
  const same = sheet.mentions.filter(({ state, label }) => state === "accepted" && label === mention.label);
  const decided = new Set(same.map(({ start, end }) => `${start} ${end}`));
  const marked = places.filter(([start, end]) => decided.has(`${start} ${end}`)).length;
  const times = places.length === 1 ? "once more" : `${places.length} times more`;
  line.querySelector("span").textContent = `Stands here ${times}${marked ? `, ${marked} decided` : ""}.`;
  line.querySelector("button").disabled = mention.state === "rejected" || marked === places.length;
}

// What stands behind the mention comes from the server, a moment after the focus rests on it.
const MOST_FETCHED = 100;
const fetched = new Map();
let shown = null;
let resting;

function showWhy(sheet, mention) {
  const key = mention?.id && `${sheet.url}why/?mention=${mention.id}&at=${sheet.version}`;
  if (key === shown) return;
  shown = key;
  if (key && $("why").dataset.mention === String(mention.id)) {
    fetched.set(key, $("why").firstElementChild); // it came with the page
    delete $("why").dataset.mention;
    return;
  }
  clearTimeout(resting);
  if (!key) return void $("why").replaceChildren();
  if (fetched.has(key)) return void $("why").replaceChildren(fetched.get(key));
  resting = setTimeout(async () => {
    try {
      const response = await fetch(key, { headers: { "HX-Request": "true" } });
      if (!response.ok || response.redirected) return;
      const parsed = new DOMParser().parseFromString(await response.text(), "text/html");
      const content = document.adoptNode(parsed.body.firstElementChild ?? parsed.createElement("div"));
      if (fetched.size > MOST_FETCHED) fetched.clear();
      fetched.set(key, content);
      if (shown === key) $("why").replaceChildren(content);
    } catch {
      if (shown === key) $("why").replaceChildren("What stands behind it loads when the connection is back.");
    }
  }, 60);
}

/** Gives each label its colour; before anything is drawn. */
export function colourLabels(labels) {
  colours = Object.fromEntries(labels.map(({ name, colour }) => [name, colour]));
}

// --- The document -------------------------------------------------------------------------------
/** Shows how the document stands, and what was said of it. */
export function showDocument(sheet, view) {
  const needing = sheet.mentions.filter(needsPerson).length;
  $("needing").textContent = needing ? `${needing} need${needing > 1 ? "" : "s"} you` : standing(sheet);
  $("needing").classList.toggle("needing", needing > 0);
  $("submit").classList.toggle("primary", needing === 0);
  $("submit").firstChild.textContent = sheet.status === "gold" ? "Next document " : "Submit and next ";
  $("consequence").textContent = consequence(sheet);
  $("flag").setAttribute("aria-pressed", String(sheet.flagged));
  showComments(sheet, view);
  showUnplaced(sheet);
}

/** How the document stands where nobody is needed. */
function standing({ status, reviewed_by: reviewer }) {
  if (status === "new") return "No model has read this yet: mark what you find";
  if (status !== "gold") return "Nothing here needs you";
  return reviewer ? `Gold, reviewed by ${reviewer}` : "Gold, came in as gold";
}

function consequence({ status, mentions }) {
  if (status === "gold") return "What you change here is saved at once and stays gold.";
  if (!mentions.length) return "No mentions: submitting says there are none.";
  const open = mentions.filter(isOpen);
  const maybes = open.filter(({ maybe }) => maybe).length;
  if (!open.length) return "Everything is decided.";
  const dropped = maybes ? `; ${maybes} unsure “maybe” ${maybes > 1 ? "are" : "is"} dropped` : "";
  return `Submitting confirms what is left as shown${dropped}.`;
}

function showComments({ comments = [] }, view) {
  const items = comments.map(({ author, start, end, text }) => {
    const about = start == null ? "" : ` on “${view.surface(start, end)}”`;
    return [element("strong", author), about, element("p", text)];
  });
  list("comments", items);
}

/** What the LLM named and nobody found in the text. */
function showUnplaced({ status, unplaced = [] }) {
  const named = status === "gold" ? [] : unplaced;
  list("unplaced", named.map(([words, label]) => [element("q", words), ` ${label}`]));
}

function list(section, items) {
  $(section).hidden = !items.length;
  $(section).querySelector("ul").replaceChildren(
    ...items.map((parts) => {
      const item = document.createElement("li");
      item.append(...parts);
      return item;
    }),
  );
}

const element = (name, textContent) =>
  Object.assign(document.createElement(name), { textContent, dir: "auto" });

// --- Telling ------------------------------------------------------------------------------------
/** What `decisions` did, as it is read out. */
export function whatWasDone([decision, ...others], view) {
  const { action, mention } = decision;
  if (action === "submit") return "Submitted";
  if (others.length) return `${others.length + 1} labelled ${decision.label ?? mention.label}`;
  const { start, end, label } = { ...mention, ...decision };
  const surface = view.surface(start, end);
  return action === "reject" ? `${surface}, not ${label}, rejected` : `${surface}, ${label}, decided`;
}

/** Shows whether all that was decided is saved; of what is `kept` in the browser, how much and why. */
export function showState(state, count = 0, why = "") {
  const isKept = state === "kept";
  const kept = navigator.onLine ? `${count} kept: ${why}` : `Offline, ${count} kept`;
  $("state").dataset.state = state;
  $("retry").hidden = !isKept;
  if (isKept) $("state").ariaLive = "polite";
  $("state").textContent = { saved: "Saved", saving: "Saving…", kept }[state];
}

/** Shows how far this person and the project are: `progress` as the server said it, to which what
 * was done `since` is added. */
export function showProgress(progress, since = {}) {
  for (const [name, count] of Object.entries(since)) progress[name] += count;
  const { submitted, gold, documents, waiting } = progress;
  const [mine, done, all, left] = [submitted, gold, documents, Math.max(0, waiting)].map((n) => n.toLocaleString());
  $("progress").textContent = `${mine} submitted by you today · ${done} of ${all} gold · ${left} waiting`;
}

// --- Dialogs ------------------------------------------------------------------------------------
// They open at once: what is typed while one were still to be loaded would be keys of the page.
/** Has a comment written about `mention`, or about the document where there is none. `ask(body)` sends
 * it; the dialog stays open until that answers. */
export function writeComment(mention, { view, ask, kept }) {
  const [dialog, field] = [$("comment"), $("comment-text")];
  const { start = null, end = null } = mention ?? {};
  const id = newId(); // sent twice, it has one
  $("comment-about").textContent = mention ? `About “${view.surface(start, end)}”` : "About the document";
  dialog.onsubmit = async (event) => {
    if (event.submitter?.value !== "save") return;
    event.preventDefault();
    const answer = await ask({ id, text: field.value, start, end });
    if (!answer) return;
    field.value = "";
    dialog.close();
    kept(answer);
  };
  dialog.showModal();
}

/** Shows the guidelines at `url`, which only who is signed in can read; answers whether it could.
 * Raises where nothing comes back. */
export async function showGuidelines(url) {
  if (!$("guidelines")) {
    const response = await fetch(url, { headers: { "HX-Request": "true" } });
    const parsed = new DOMParser().parseFromString(await response.text(), "text/html");
    const dialog = parsed.getElementById("guidelines");
    if (!dialog) return false;
    document.body.append(document.adoptNode(dialog));
  }
  $("guidelines").showModal();
  return true;
}

/** Asks whether `act` is to be kept, or what somebody else made of its mention in the sheet `now`. */
export function keepsMine(act, now) {
  const dialog = $("conflict");
  const { mention, ...mine } = act.decisions.find((decision) => decision.mention);
  const theirs = now.mentions.find((each) => sameSpan(each, mention));
  const put = (where, words) => (dialog.querySelector(where).textContent = words);
  put("q", [...now.text].slice(mention.start, mention.end).join(""));
  put("[data-theirs]", theirs ? sideOf({ action: theirs.state, ...theirs }) : "taken away or moved");
  put("[data-mine]", sideOf({ label: mention.label, ...mine }));
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) =>
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "mine"), { once: true }),
  );
}

function sideOf({ action, label }) {
  if (action === "reject" || action === "rejected") return "not an entity";
  return action === "resize" ? `${label}, with other boundaries` : label;
}

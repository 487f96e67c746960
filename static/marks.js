// How a mention looks and reads: its mark in the text, the tag behind it, and the panel beside.

import { isOpen, needsPerson } from "./sheet.js";

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

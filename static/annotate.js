// The review page: one document, its mentions, and what this person decides about them. What is
// decided shows at once and goes to the server by way of the outbox.

import { combination } from "./combination.js";
import { settled } from "./conflict.js";
import { colourLabels, lookOf, markOf, showPanel, tagOf } from "./marks.js";
import { Selecting } from "./selecting.js";
import { Outbox, Refused, Sheet, isOpen, nameOf, needsPerson, newId, sameSpan } from "./sheet.js";
import { TextView } from "./text.js";

const HEARTBEAT = 240_000;
const $ = (id) => document.getElementById(id);
const read = (id) => JSON.parse($(id).textContent);
const desk = read("desk");
const tokenOf = ({ body }) => JSON.parse(body.getAttribute("hx-headers"));
let token = tokenOf(document);

const labels = desk.labels.map(({ name }) => name);
const view = new TextView(
  $("text"),
  (mention) => markOf(mention, mention === focus),
  (mention) => tagOf(mention, mention === focus, view.surface(mention.start, mention.end)),
);
const address = new URLSearchParams(location.search);
const asked = Number(address.get("mention"));
address.delete("mention");
const search = address.size ? `?${address}` : "";
let sheet;
let focus = null;
let news = "";

// --- Telling ------------------------------------------------------------------------------------
const say = (words) => ($("said").textContent = words);

function tell(kind, why = "") {
  const words = { saved: "Saved", saving: "Saving…", kept: `Offline, ${outbox.length} kept` }[kind];
  $("state").dataset.state = kind;
  $("retry").hidden = kind !== "kept";
  if (kind === "kept") $("state").ariaLive = "polite";
  $("state").textContent = kind === "kept" && navigator.onLine ? `${outbox.length} kept: ${why}` : words;
}

function warn(words, kind = "error") {
  $("notice").className = `notice ${kind}`;
  $("notice").textContent = words;
  $("notice").hidden = !words;
}

// --- The server ---------------------------------------------------------------------------------
const SIGNED_OUT = "You are signed out. Reload the page to sign in.";
const NO_ANSWER =
  "No answer from the server. What you decided is kept; try again when the connection is back.";

function send(url, body, silence) {
  return fetch(url, {
    method: body ? "POST" : "GET",
    headers: { ...token, Accept: "application/json", "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(silence),
  });
}

/** Answers `{ status, data }`; a page to sign in at is a 401. Raises where nothing comes back, or
 * something in between answers with a page of its own: the server says all here in JSON. */
async function call(url, body, silence = 20_000) {
  let response = await send(url, body, silence);
  if (response.status === 403 && (await renewed(silence))) response = await send(url, body, silence);
  if (response.redirected) return { status: 401, data: {} };
  const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
  if (response.ok && !isJson) throw new Error("This is no answer of the server.");
  return { status: response.status, data: isJson ? await response.json() : {} };
}

/** Takes over the token that signing in anew, in another tab, brought: of the same person alone, for
 * what one decided must never be sent as another's. */
async function renewed(silence) {
  const response = await fetch(desk.guidelines, { signal: AbortSignal.timeout(silence) });
  if (!response.ok || response.redirected) return false;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  if (page.body.dataset.person !== String(desk.person)) return false;
  token = tokenOf(page);
  return true;
}

/** What the server answers, or null after telling what went wrong. */
async function ask(url, body) {
  try {
    const { status, data } = await call(url, body);
    if (status === 200) return data;
    warn(data.message ?? (status === 401 || status === 403 ? SIGNED_OUT : `The server said ${status}.`));
  } catch {
    warn(NO_ANSWER);
  }
  return null;
}

// --- Saving -------------------------------------------------------------------------------------
const decisionsOf = (url) => `${url}decisions/`;
const isSubmission = ({ decisions }) => decisions[0].action === "submit";
const isUndo = ({ decisions }) => decisions[0].action === "undo";
const isHere = (entry) => entry.url === decisionsOf(sheet.url);
const versions = new Map();
const submissions = [];

/** Sends an act of the outbox: on the version that its document is at as far as this page knows. */
function post(entry, silence) {
  const version = (isHere(entry) ? sheet.version : versions.get(entry.url)) ?? entry.version;
  const decisions = entry.act.decisions.map(({ was, ...decision }) => decision);
  return call(entry.url, { version, step: entry.act.step, decisions }, silence);
}

async function settle(entry, status, data) {
  if (status === 200) return confirmed(entry, data);
  if (status === 401 || status === 403) {
    const what = status === 401 ? "you are signed out" : "somebody else is signed in";
    tell("kept", `${what}. Sign in in another tab, then press here`);
    return "wait";
  }
  if (status === 409) return stale(entry, data.sheet);
  const gone = "This document is not there any more.";
  warn(data.message ?? (status === 404 ? gone : `Not saved: the server said ${status}.`));
  if (isHere(entry)) {
    sheet.drop(entry.act);
    if (data.sheet) sheet.take(data.sheet);
    show();
  }
  return "done";
}

function confirmed(entry, data) {
  versions.set(entry.url, data.version);
  if (data.notice) news = data.notice;
  if (!isHere(entry)) return "done";
  const wasUnseen = isUndo(entry.act) && !sheet.images.has(entry.act.step);
  const wasGold = sheet.status === "gold";
  sheet.confirm(entry.act, data);
  if (data.sheet) sheet.take(data.sheet);
  if (wasUnseen) focus = sheet.find(data.mentions[0]) ?? focus;
  show();
  const more = (sheet.status === "gold") - wasGold;
  showProgress({ submitted: more, gold: more, waiting: -more });
  if (isSubmission(entry.act)) {
    submissions.push({ url: sheet.url, step: entry.act.step });
    setTimeout(openNext);
  }
  return "done";
}

/** The document moved on. What was decided holds where its mention is as it was; else both sides
 * are shown and the person chooses. */
async function stale(entry, fresh) {
  const here = isHere(entry);
  versions.set(entry.url, fresh.version);
  if (here) sheet.take(fresh);
  if (isSubmission(entry.act)) return unseen(entry, fresh);
  const now = new Sheet(fresh, desk.may_overlap);
  if (!now.stillMeant(entry.act)) {
    const act = await settled(entry.act, now, $("conflict"));
    if (here) sheet.replace(entry.act, act);
    entry.act = act;
  }
  if (here) show();
  return entry.act ? "again" : "done";
}

/** To submit confirms what is shown, and this was never shown. */
function unseen(entry, fresh) {
  if (isHere(entry)) {
    sheet.drop(entry.act);
    show();
    warn("This document changed after you opened it, so it is not submitted. Look again, then submit.");
  } else warn(`“${fresh.name}” changed before it was submitted. Open it again to submit it.`);
  return "done";
}

/** Shows what another tab left behind before the server has heard of it. */
function adopted(entries) {
  const here = entries.filter(isHere);
  for (const { act } of here) sheet.enqueue(act);
  if (here.length) moveTo(first());
}

const outbox = new Outbox(desk.person, { post, settle, tell, adopted });

// --- One document after the other -----------------------------------------------------------------
function open(data, { push = true } = {}) {
  sheet = new Sheet(data, desk.may_overlap);
  for (const { act } of outbox.waitingFor(decisionsOf(sheet.url))) sheet.enqueue(act);
  if (push) history.pushState(null, "", sheet.url + search);
  document.title = `${sheet.name} · ${desk.project}`;
  $("name").textContent = $("name").title = sheet.name;
  warn(sheet.lease && !sheet.lease.mine ? `${sheet.lease.by} has this document open too.` : "");
  view.open(sheet.text);
  scrollTo(0, 0);
  focus = sheet.mentions.find(({ id }) => id === asked) ?? first();
  show();
}

let opening = false;

async function openNext({ skipped = false } = {}) {
  if (opening) return; // pressed twice, one document is opened
  opening = true;
  const { order, q } = desk;
  const answer = await ask(desk.next, { after: sheet.id, order, q, skipped });
  opening = false;
  if (!answer) return;
  if (!answer.sheet) return void location.assign(answer.url + search);
  if (skipped && answer.sheet.id === sheet.id) return onlyThis();
  open(answer.sheet);
  if (answer.skipped) news ||= "You have seen all others: from here on come those that you skipped.";
  if (news) warn(news, "info");
  news = "";
  reveal();
  say(`${sheet.name}, ${$("needing").textContent}`);
}

function onlyThis() {
  const words = desk.q.trim();
  warn(`No other document ${words ? `with “${words}” ` : ""}waits for you.`, "info");
}

addEventListener("popstate", async () => {
  const data = await ask(`${location.pathname}sheet/`);
  // Whoever goes on before it came is somewhere else by then.
  if (data?.url === location.pathname) open(data, { push: false });
});

// --- Showing ------------------------------------------------------------------------------------
function show() {
  focus = focus && (sheet.find(focus) ?? sheet.mentions.find((each) => sameSpan(each, focus)));
  focus ??= first();
  keepingFocus(() => view.show(sheet.mentions, (mention) => lookOf(mention) + (mention === focus)));
  const needing = sheet.mentions.filter(needsPerson).length;
  const isGold = sheet.status === "gold";
  $("needing").textContent = needing ? `${needing} need${needing > 1 ? "" : "s"} you` : standing();
  $("needing").classList.toggle("needing", needing > 0);
  $("submit").classList.toggle("primary", needing === 0);
  $("submit").firstChild.textContent = isGold ? "Next document " : "Submit and next ";
  $("consequence").textContent = consequence();
  $("undo").disabled = !sheet.undoable.length && !submissions.length;
  $("redo").disabled = !sheet.redoable.length;
  $("flag").setAttribute("aria-pressed", String(Boolean(sheet.flagged)));
  showPanel(sheet, focus, view);
  showComments();
  showUnplaced();
}

/** The mention of a tag; undefined of anything else. */
const ofTag = (tag) => (tag.matches(".tag") ? sheet.find(tag.closest(".mention").mention) : undefined);

/** Whoever is at a tag stays at that mention, though its tag is drawn anew. */
function keepingFocus(draw) {
  const held = ofTag(document.activeElement);
  draw();
  if (!held || document.activeElement !== document.body) return;
  const tags = [...view.root.querySelectorAll(".tag")];
  tags.find((tag) => sameSpan(tag.closest(".mention").mention, held))?.focus({ preventScroll: true });
}

/** How the document stands where nobody is needed. */
function standing() {
  if (sheet.status === "new") return "No model has read this yet: mark what you find";
  if (sheet.status !== "gold") return "Nothing here needs you";
  return sheet.reviewed_by ? `Gold, reviewed by ${sheet.reviewed_by}` : "Gold, came in as gold";
}

function consequence() {
  if (sheet.status === "gold") return "What you change here is saved at once and stays gold.";
  if (!sheet.mentions.length) return "No mentions: submitting says there are none.";
  const open = sheet.mentions.filter(isOpen);
  const maybes = open.filter(({ maybe }) => maybe).length;
  if (!open.length) return "Everything is decided.";
  const dropped = maybes ? `; ${maybes} unsure “maybe” ${maybes > 1 ? "are" : "is"} dropped` : "";
  return `Submitting confirms what is left as shown${dropped}.`;
}

/** What the server said when the page was opened, and what this person did since. */
function showProgress(since = {}) {
  for (const [name, count] of Object.entries(since)) desk.progress[name] += count;
  const { submitted, gold, documents, waiting } = desk.progress;
  const [mine, done, all, left] = [submitted, gold, documents, Math.max(0, waiting)].map((n) => n.toLocaleString());
  $("progress").textContent = `${mine} submitted by you today · ${done} of ${all} gold · ${left} waiting`;
}

function element(name, textContent, properties = {}) {
  return Object.assign(document.createElement(name), { textContent, ...properties });
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

function showUnplaced() {
  const named = sheet.status === "gold" ? [] : (sheet.unplaced ?? []);
  const items = named.map(([words, label]) => [element("q", words, { dir: "auto" }), ` ${label}`]);
  list("unplaced", items);
}

function showComments() {
  const items = (sheet.comments ?? []).map(({ author, start, end, text }) => {
    const about = start == null ? "" : ` on “${view.surface(start, end)}”`;
    return [element("strong", author), about, element("p", text, { dir: "auto" })];
  });
  list("comments", items);
}

// --- The mention in focus -----------------------------------------------------------------------
const first = () =>
  sheet.mentions.find(needsPerson) ?? sheet.mentions.find(isOpen) ?? sheet.mentions[0] ?? null;

function moveTo(mention) {
  if (!mention) return;
  focus = mention;
  show();
  reveal();
}

function reveal() {
  if (!focus) return;
  view.reach(focus.start, focus.end);
  const tag = view.root.querySelector(".mention.focus > .tag");
  const isCalm = view.isLong || matchMedia("(prefers-reduced-motion: reduce)").matches;
  tag?.focus({ preventScroll: true });
  tag?.scrollIntoView({ block: "nearest", behavior: isCalm ? "auto" : "smooth" });
}

/** The next (or, for -1, previous) mention that needs a person, going round; of all where none
 * does. */
function beyond(direction) {
  const needing = sheet.mentions.filter(needsPerson);
  const among = needing.length ? needing : sheet.mentions;
  const order = direction > 0 ? among : among.toReversed();
  const place = ({ start, end }) => start - end / 1e9;
  const isBeyond = (each) => direction * (place(each) - place(focus)) > 0;
  return (focus && order.find(isBeyond)) ?? order[0];
}

// --- Deciding -----------------------------------------------------------------------------------
/** What `decisions` did, as it is read out. */
function whatWasDone([decision, ...others]) {
  const { action, mention } = decision;
  if (action === "submit") return "Submitted";
  if (others.length) return `${others.length + 1} labelled ${decision.label ?? mention.label}`;
  const { start, end, label } = { ...mention, ...decision };
  const surface = view.surface(start, end);
  return action === "reject" ? `${surface}, not ${label}, rejected` : `${surface}, ${label}, decided`;
}

/** Carries out `decisions` as one act, and moves to what `next` then finds. */
function decide(decisions, next = () => focus, done = whatWasDone(decisions)) {
  const withState = (each) => ({ id: newId(), ...each, was: sheet.find(each.mention)?.state });
  const act = { step: newId(), decisions: decisions.map(withState) };
  try {
    sheet.carryOut(act);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return warn(error.message);
  }
  warn("");
  outbox.put(decisionsOf(sheet.url), act, sheet.version);
  focus = next() ?? focus;
  show();
  reveal();
  say(`${done}. ${$("needing").textContent}.`);
}

function onFocus(decision) {
  if (focus) decide([{ mention: nameOf(focus), ...decision }], () => beyond(1));
}

/** What is so already is passed over. */
const settleAs = (action, state) => () =>
  focus?.state === state ? moveTo(beyond(1)) : onFocus({ action });

function label(name) {
  if (!name) return;
  if (selecting.isOpen) selecting.choose(name);
  else if (focus?.label === name) ACTS.accept();
  else onFocus({ action: "relabel", label: name });
}

/** Takes what the LLM (or the local model) says of the mention: "O" is that it is none. */
function take(said) {
  if (said === "O") ACTS.reject();
  else label(said);
}

const resize = (edge, direction, granularity) => () => {
  if (!focus) return;
  const { start, end } = focus;
  const span = { start, end, [edge]: view.edge(focus[edge], direction, granularity, edge) };
  if (span.start >= span.end || sameSpan(span, focus)) return;
  const name = { ...span, label: focus.label };
  decide([{ action: "resize", mention: nameOf(focus), ...span }], () => sheet.find(name));
};

function everywhere() {
  if (!focus || focus.state === "rejected") return;
  const accept = isOpen(focus) ? [{ action: "accept", mention: nameOf(focus) }] : [];
  const places = [...view.occurrences(view.surface(focus.start, focus.end))];
  const others = places.flatMap(([start, end]) => labelling(start, end, focus) ?? []);
  if (!others.length) return say("It stands nowhere else.");
  decide([...accept, ...others], () => beyond(1));
}

/** The decision that makes `[start, end)` what `model` is; null where it is, or may not be. */
function labelling(start, end, model) {
  const beside = sheet.mentions.filter((each) => each.start < end && start < each.end);
  const there = beside.find((each) => sameSpan(each, { start, end }));
  const isTaken = beside.some(({ state }) => state === "accepted");
  if (start === model.start || isTaken) return null;
  if (!there) return { action: "add", start, end, label: model.label };
  if (there.label === model.label) return { action: "accept", mention: nameOf(there) };
  return { action: "relabel", mention: nameOf(there), label: model.label };
}

const add = ({ start, end, label: name }) =>
  decide([{ action: "add", start, end, label: name }], () => sheet.find({ start, end, label: name }));

function submit() {
  if (sheet.pending.some(isSubmission)) return;
  if (sheet.status === "gold") openNext();
  else decide([{ action: "submit" }]);
}

function undo() {
  const step = sheet.undoable.at(-1);
  if (step) takeBack(step, "Undone");
  else if (submissions.length) undoSubmission(submissions.pop());
}

/** Undoes `step`, and moves to what that brought back. */
function takeBack(step, done) {
  const before = new Set(sheet.mentions);
  const back = () => sheet.mentions.find((mention) => !before.has(mention));
  decide([{ action: "undo", of: step }], back, done);
}

/** Takes back the submission of an earlier document and opens it again. */
async function undoSubmission({ url, step }) {
  const act = { step: newId(), decisions: [{ id: newId(), action: "undo", of: step }] };
  outbox.put(decisionsOf(url), act, versions.get(decisionsOf(url)));
  await outbox.flush();
  const data = await ask(`${url}sheet/`);
  if (!data) return;
  showProgress({ submitted: -1, gold: -1, waiting: 1 });
  open(data);
  say(`Undone. ${sheet.name} is not submitted any more.`);
}

function redo() {
  const step = sheet.redoable.at(-1);
  if (step) takeBack(step, "Done again");
}

async function flag() {
  const here = sheet; // another may be open when the answer comes
  const answer = await ask(`${here.url}flag/`, { flagged: !here.flagged });
  if (!answer) return;
  here.flagged = answer.flagged;
  show();
  say(here.flagged ? "Flagged." : "Flag taken away.");
}

// --- Comments and guidelines ----------------------------------------------------------------------
let remark;

function comment() {
  const { start = null, end = null } = focus ?? {};
  remark = { here: sheet, id: newId(), start, end }; // sent twice, it has one id
  const about = focus ? `About “${view.surface(focus.start, focus.end)}”` : "About the document";
  $("comment-about").textContent = about;
  $("comment").showModal();
}

$("comment").addEventListener("submit", async (event) => {
  if (event.submitter?.value !== "save") return;
  event.preventDefault();
  const field = $("comment-text");
  const { here, ...about } = remark;
  const answer = await ask(`${here.url}comments/`, { ...about, text: field.value });
  if (!answer) return;
  field.value = "";
  $("comment").close();
  here.comments = answer.comments;
  show();
});

async function guidelines() {
  if (!$("guidelines")) {
    const response = await fetch(desk.guidelines, { headers: { "HX-Request": "true" } }).catch(() => null);
    if (!response) return warn(NO_ANSWER);
    const parsed = new DOMParser().parseFromString(await response.text(), "text/html");
    const dialog = parsed.getElementById("guidelines");
    if (!dialog) return warn(SIGNED_OUT);
    document.body.append(document.adoptNode(dialog));
  }
  $("guidelines").showModal();
}

// --- Keys ---------------------------------------------------------------------------------------
const ACTS = {
  accept: settleAs("accept", "accepted"),
  reject: settleAs("reject", "rejected"),
  skip: () => moveTo(beyond(1)),
  next: () => moveTo(beyond(1)),
  previous: () => moveTo(beyond(-1)),
  start_left: resize("start", -1, "word"),
  start_right: resize("start", 1, "word"),
  end_left: resize("end", -1, "word"),
  end_right: resize("end", 1, "word"),
  start_left_char: resize("start", -1, "grapheme"),
  start_right_char: resize("start", 1, "grapheme"),
  end_left_char: resize("end", -1, "grapheme"),
  end_right_char: resize("end", 1, "grapheme"),
  take_llm: () => take(focus?.llm),
  take_model: () => take(focus?.local),
  add: () => selecting.begin(focus?.start ?? 0),
  everywhere,
  comment,
  flag,
  submit,
  skip_document: () => openNext({ skipped: true }),
  undo,
  redo,
  search: () => $("q").focus(),
  guidelines,
  help: () => $("keys").showModal(),
  retry: () => outbox.flush(),
};

// A key that is held walks and moves boundaries. It decides once: what comes next nobody has seen.
const HOLDABLE = /^(next|previous|skip|(start|end)_.*)$/;
const { keys: bindings, single_keys: mayBeSingle } = desk.bindings;
const actionOf = new Map(
  Object.entries(bindings).flatMap(([action, combos]) => combos.map((combo) => [combo, action])),
);

/** Which label a digit gives, Shift for the second ten; null for other keys. */
function digitOf({ code, shiftKey, ctrlKey, altKey, metaKey }) {
  const [, digit] = /^(?:Digit|Numpad)(\d)$/.exec(code) ?? [];
  if (!digit || ctrlKey || altKey || metaKey) return null;
  return ((Number(digit) + 9) % 10) + (shiftKey ? 10 : 0);
}

function isTyping(event) {
  const field = event.target.closest("input, textarea, select, [contenteditable]");
  return event.isComposing || event.keyCode === 229 || field || document.querySelector("dialog[open]");
}

function handled(event) {
  const combo = combination(event);
  if (!combo) return false;
  if (selecting.contains(event.target) && combo === "Enter") return event.repeat;
  if (combo === "Escape") return cancel(), true;
  if (!combo.includes("Ctrl") && selecting.pickingKey(event)) return true;
  if (combo === "Enter" && event.target.matches(".tag")) return clickMark(event.target), true;
  const presses = /^(Space|Enter)$/.test(combo) && event.target.closest("button:not(.tag), a, summary");
  if (presses) return event.repeat;
  if (!mayBeSingle && !/Ctrl|Arrow/.test(combo)) return false;
  const digit = digitOf(event);
  const action = actionOf.get(combo);
  if (!action && digit === null) return false;
  if (event.repeat && !HOLDABLE.test(action)) return true;
  // Keys act on the mention that Tab led to, though nobody chose it by Enter.
  const there = ofTag(event.target);
  if (there && there !== focus) moveTo(there);
  if (action) ACTS[action]();
  else label(labels[digit]);
  return true;
}

function cancel() {
  const hadFocus = selecting.contains(document.activeElement);
  selecting.cancel();
  if (hadFocus) reveal();
}

document.addEventListener("keydown", (event) => {
  if (!isTyping(event) && handled(event)) event.preventDefault();
});

/** Shows the keys where they work, as this person has them. */
function showKeys() {
  const caps = { Ctrl: "Ctrl", ArrowDown: "↓", ArrowUp: "↑", ArrowLeft: "←", ArrowRight: "→", Enter: "↵" };
  const cap = (combo) => combo.split("+").map((key) => caps[key] ?? key).join(" ");
  for (const place of document.querySelectorAll("[data-key]")) {
    const [combo] = bindings[place.dataset.key] ?? [];
    place.textContent = combo ? cap(combo) : "";
    place.hidden = !combo || (!mayBeSingle && !combo.includes("Ctrl"));
  }
  for (const place of document.querySelectorAll("[data-keys]")) {
    const combos = bindings[place.dataset.keys] ?? [];
    place.replaceChildren(...combos.flatMap((combo) => [element("kbd", cap(combo)), " "]));
  }
}

// --- Mouse and touch ----------------------------------------------------------------------------
const selecting = new Selecting(view, $("label-menu"), { onAdd: add, say });

const OPENS_ANOTHER = new Set(["submit", "skip_document"]);

document.addEventListener("click", ({ target, detail }) => {
  const button = target.closest("button[data-act], button[data-label]");
  // The second press of a double click would be for a document that nobody has seen.
  if (detail > 1 && OPENS_ANOTHER.has(button?.dataset.act)) return;
  if (button?.dataset.act) ACTS[button.dataset.act]();
  else if (button) label(button.dataset.label);
  else clickMark(target);
});

function clickMark(target) {
  const mark = target.closest(".mention");
  const isSelecting = !target.closest(".tag, .drop") && !getSelection().isCollapsed;
  const mention = mark && !isSelecting && sheet.find(mark.mention);
  if (!mention) return;
  moveTo(mention);
  if (target.closest(".drop")) ACTS.reject();
}

addEventListener("beforeunload", (event) => {
  if (outbox.length) event.preventDefault();
});
setInterval(() => {
  if (!document.hidden) call(`${sheet.url}lease/`, {}).catch(() => {});
}, HEARTBEAT);

colourLabels(desk.labels);
showKeys();
open(read("sheet"), { push: false });
view.root.querySelector(".mention.focus")?.scrollIntoView({ block: "nearest" });
showProgress();
outbox.adopt();

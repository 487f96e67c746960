// The review page: one document, its mentions, and what this person decides about them. What is
// decided shows at once and goes to the server by way of the outbox.

import { Bindings, Selecting, combination, digitOf, isTyping } from "./gestures.js";
import { colourLabels, lookOf, markOf, tagOf, whatWasDone } from "./marks.js";
import { keepsMine, showDocument, showGuidelines, showPanel } from "./marks.js";
import { showProgress, showState, writeComment } from "./marks.js";
import { NO_ANSWER, Outbox, Refused, SIGNED_OUT, Server, Sheet } from "./sheet.js";
import { isOpen, nameOf, newId, sameSpan } from "./sheet.js";
import { TextView } from "./text.js";

const HEARTBEAT = 240_000;
const $ = (id) => document.getElementById(id);
const read = (id) => JSON.parse($(id).textContent);
const desk = read("desk");
const server = new Server({ person: desk.person, page: desk.guidelines, warn });

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

function warn(words, kind = "error") {
  $("notice").className = `notice ${kind}`;
  $("notice").textContent = words;
  $("notice").hidden = !words;
}

// --- Saving -------------------------------------------------------------------------------------
const decisionsOf = (url) => `${url}decisions/`;
const isSubmission = ({ decisions }) => decisions[0].action === "submit";
const isUndo = ({ decisions }) => decisions[0].action === "undo";
const isHere = (entry) => entry.url === decisionsOf(sheet.url);
const versions = new Map();
const submissions = [];

/** Sends an act of the outbox: on the version that its document is at as far as this page knows. */
function post(entry) {
  const version = (isHere(entry) ? sheet.version : versions.get(entry.url)) ?? entry.version;
  const decisions = entry.act.decisions.map(({ was, ...decision }) => decision);
  return server.call(entry.url, { version, step: entry.act.step, decisions });
}

async function settle(entry, status, data) {
  if (status === 200) return confirmed(entry, data);
  if (status === 401) return "you are signed out. Sign in in another tab, then press here";
  if (status === 403) return "somebody else is signed in. Sign in in another tab, then press here";
  if (status === 409) return stale(entry, data.sheet);
  const said = status === 404 ? "This document is not there any more." : `Not saved: the server said ${status}.`;
  warn(data.message ?? said);
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
  showProgress(desk.progress, { submitted: more, gold: more, waiting: -more });
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
    const act = (await keepsMine(entry.act, now)) ? now.meantNow(entry.act) : null;
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
  if (here.length) moveTo(sheet.first);
}

const outbox = new Outbox(desk.person, { post, settle, tell: showState, adopted });

// --- One document after the other -----------------------------------------------------------------
const openToo = (by) => `${by ?? "Somebody"} has this document open too.`;

function open(data, { push = true } = {}) {
  sheet = new Sheet(data, desk.may_overlap);
  for (const { act } of outbox.waitingFor(decisionsOf(sheet.url))) sheet.enqueue(act);
  if (push) history.pushState(null, "", sheet.url + search);
  document.title = `${sheet.name} · ${desk.project}`;
  $("name").textContent = $("name").title = sheet.name;
  warn(sheet.lease && !sheet.lease.mine ? openToo(sheet.lease.by) : "");
  view.open(sheet.text);
  scrollTo(0, 0);
  focus = sheet.mentions.find(({ id }) => id === asked) ?? sheet.first;
  show();
}

let opening = false;

async function openNext({ skipped = false } = {}) {
  if (opening) return; // pressed twice, one document is opened
  opening = true;
  const answer = await server.ask(desk.next, { after: sheet.id, order: desk.order, q: desk.q, skipped });
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
  const data = await server.ask(`${location.pathname}sheet/`);
  // Whoever goes on before it came is somewhere else by then.
  if (data?.url === location.pathname) open(data, { push: false });
});

// --- Showing ------------------------------------------------------------------------------------
/** Draws all of the page that may be different. */
function draw() {
  focus = focus && (sheet.find(focus) ?? sheet.mentions.find((each) => sameSpan(each, focus)));
  focus ??= sheet.first;
  view.show(sheet.mentions, (mention) => lookOf(mention) + (mention === focus));
  $("undo").disabled = !sheet.undoable.length && !submissions.length;
  $("redo").disabled = !sheet.redoable.length;
  showDocument(sheet, view);
  showPanel(sheet, focus, view);
}

/** The mention of a tag; undefined of anything else. */
const ofTag = (tag) => (tag.matches(".tag") ? sheet.find(tag.closest(".mention").mention) : undefined);

/** Draws; whoever is at a tag stays at that mention, though its tag is made anew. */
function show() {
  const held = ofTag(document.activeElement);
  draw();
  if (held && document.activeElement === document.body) view.tagsOf(held)[0]?.focus({ preventScroll: true });
}

// --- The mention in focus -----------------------------------------------------------------------
function moveTo(mention) {
  if (!mention) return;
  focus = mention;
  draw();
  reveal();
}

function reveal() {
  const tag = focus && view.tagsOf(focus).find((each) => each.matches(".focus > .tag"));
  const isCalm = view.isLong || matchMedia("(prefers-reduced-motion: reduce)").matches;
  tag?.focus({ preventScroll: true });
  tag?.scrollIntoView({ block: "nearest", behavior: isCalm ? "auto" : "smooth" });
}

// --- Deciding -----------------------------------------------------------------------------------
/** Carries out `decisions` as one act, and moves to what `next` then finds. */
function decide(decisions, next = () => focus, done = whatWasDone(decisions, view)) {
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
  draw();
  reveal();
  say(`${done}. ${$("needing").textContent}.`);
}

function onFocus(decision) {
  if (focus) decide([{ mention: nameOf(focus), ...decision }], () => sheet.beyond(focus, 1));
}

/** What is so already is passed over. */
const settleAs = (action, state) => () => (focus?.state === state ? ACTS.next() : onFocus({ action }));

function label(name) {
  if (!name) return;
  if (selecting.isOpen) selecting.choose(name);
  else if (focus?.label === name) ACTS.accept();
  else onFocus({ action: "relabel", label: name });
}

/** Takes what the LLM (or the local model) says of the mention: "O" is that it is none. */
const take = (said) => (said === "O" ? ACTS.reject() : label(said));

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
  const others = places.flatMap(([start, end]) => sheet.labelling(start, end, focus) ?? []);
  if (!others.length) return say("It stands nowhere else.");
  decide([...accept, ...others], () => sheet.beyond(focus, 1));
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
  const submitted = submissions.findIndex((made) => made.step === step);
  if (submitted >= 0) submissions.splice(submitted, 1);
  decide([{ action: "undo", of: step }], back, done);
}

/** Takes back the submission of an earlier document and opens it again. */
async function undoSubmission({ url, step }) {
  const act = { step: newId(), decisions: [{ id: newId(), action: "undo", of: step }] };
  outbox.put(decisionsOf(url), act, versions.get(decisionsOf(url)));
  await outbox.flush();
  const data = await server.ask(`${url}sheet/`);
  if (!data) return;
  open(data);
  if (sheet.status === "gold") return warn("It stays submitted: that cannot be undone any more.");
  showProgress(desk.progress, { submitted: -1, gold: -1, waiting: 1 });
  say(`Undone. ${sheet.name} is not submitted any more.`);
}

function redo() {
  const step = sheet.redoable.at(-1);
  if (step) takeBack(step, "Done again");
}

async function flag() {
  const about = sheet; // another may be open when the answer comes
  const answer = await server.ask(`${about.url}flag/`, { flagged: !about.flagged });
  if (!answer) return;
  about.flagged = answer.flagged;
  show();
  say(about.flagged ? "Flagged." : "Flag taken away.");
}

// --- Comments and guidelines ----------------------------------------------------------------------
function comment() {
  const about = sheet;
  const ask = (body) => server.ask(`${about.url}comments/`, body);
  const kept = ({ comments }) => {
    about.comments = comments;
    show();
  };
  writeComment(focus, { view, ask, kept });
}

async function guidelines() {
  try {
    if (!(await showGuidelines(desk.guidelines))) warn(SIGNED_OUT);
  } catch {
    warn(NO_ANSWER);
  }
}

// --- Keys ---------------------------------------------------------------------------------------
const bindings = new Bindings(desk.bindings);

const ACTS = {
  accept: settleAs("accept", "accepted"),
  reject: settleAs("reject", "rejected"),
  skip: () => moveTo(sheet.beyond(focus, 1)),
  next: () => moveTo(sheet.beyond(focus, 1)),
  previous: () => moveTo(sheet.beyond(focus, -1)),
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

function handled(event) {
  const combo = combination(event);
  if (!combo) return false;
  if (selecting.contains(event.target) && combo === "Enter") return event.repeat;
  if (combo === "Escape") {
    if (selecting.cancel()) reveal();
    return true;
  }
  if (!combo.includes("Ctrl") && selecting.pickingKey(event)) return true;
  if (combo === "Enter" && event.target.matches(".tag")) return clickMark(event.target), true;
  const presses = /^(Space|Enter)$/.test(combo) && event.target.closest("button, a, summary");
  if (presses) return event.repeat;
  if (!bindings.allow(combo)) return false;
  const digit = digitOf(event);
  const action = bindings.actionOf(combo);
  if (!action && digit === null) return false;
  if (event.repeat && !HOLDABLE.test(action)) return true;
  // Keys act on the mention that Tab led to, though nobody chose it by Enter.
  const there = ofTag(event.target);
  if (there && there !== focus) moveTo(there);
  if (action) ACTS[action]();
  else label(labels[digit]);
  return true;
}

document.addEventListener("keydown", (event) => {
  if (!isTyping(event) && handled(event)) event.preventDefault();
});

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

/** Keeps the document for this person; says so where somebody else has it by now. */
async function keepLease() {
  const about = sheet;
  const { status, data } = await server.call(`${about.url}lease/`, {}).catch(() => ({}));
  if (status === 409 && about === sheet) warn(openToo(data.by));
}
setInterval(() => {
  if (!document.hidden) keepLease();
}, HEARTBEAT);

colourLabels(desk.labels);
bindings.show();
open(read("sheet"), { push: false });
view.root.querySelector(".mention.focus")?.scrollIntoView({ block: "nearest" });
showProgress(desk.progress);
outbox.adopt();

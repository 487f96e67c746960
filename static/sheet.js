// A document as plain data: what the server last said, and on top of it what this person decided
// and the server has not heard yet (Sheet); and how that reaches the server (Server, Outbox). No page
// here.
//
// A mention is named by what it is, its span and label, which is unique in a document: the name
// holds before the server has numbered it and after suggestions were built anew.

const SILENCE = 20_000;
const LONGEST_WAIT = 30_000;
const ORPHAN_AFTER = 60_000;

/** Raised where a decision cannot be; the message is for the person. */
export class Refused extends Error {}

export const nameOf = ({ start, end, label }) => ({ start, end, label });
export const sameName = (one, other) =>
  one.start === other.start && one.end === other.end && one.label === other.label;
export const sameSpan = (one, other) => one.start === other.start && one.end === other.end;
export const isOpen = (mention) => mention.state === "suggested";
export const needsPerson = (mention) => isOpen(mention) && Boolean(mention.needs);

const overlap = (one, other) => one.start < other.end && other.start < one.end;
const inOrder = (mentions) =>
  mentions.sort((a, b) => a.start - b.start || b.end - a.end || (a.id ?? Infinity) - (b.id ?? Infinity));
const settled = (mention, changes) => ({ ...mention, needs: false, maybe: false, ...changes });

/** What `decision` makes of `mentions`: `[gone, made]`, mentions to take out and to put in. */
function changeOf(mentions, decision, mayOverlap) {
  if (decision.action === "submit") return submitted(mentions);
  const added = { ...nameOf(decision), source: "person" };
  const mention = decision.action === "add" ? added : mentions.find((m) => sameName(m, decision.mention));
  if (!mention) throw new Refused("This mention is not there any more.");
  if (decision.action === "reject") return [[mention], [settled(mention, { state: "rejected" })]];
  const made = settled(mention, { state: "accepted", ...changedIn(mention, decision) });
  return [[mention, ...roomFor(made, mention, mentions, mayOverlap)], [made]];
}

function changedIn(mention, { action, label, start, end }) {
  if (action === "relabel" && label !== mention.label) return { label, source: "person" };
  if (action === "resize") return { start, end, source: "person" };
  return {};
}

/** What an accepted mention takes the place of: what overlaps it and is open, or the very same. */
function roomFor(made, mention, mentions, mayOverlap) {
  const others = mentions.filter((other) => other !== mention && overlap(other, made));
  const rivals = mayOverlap ? others.filter((other) => sameName(other, made)) : others;
  if (rivals.some(({ state }) => state === "accepted")) {
    throw new Refused("It overlaps a mention that is decided. Reject that one first.");
  }
  return rivals.filter((other) => isOpen(other) || sameName(other, made));
}

function submitted(mentions) {
  const open = mentions.filter(isOpen);
  const closed = open.map((mention) =>
    settled(mention, { state: mention.maybe ? "rejected" : "accepted" }),
  );
  return [open, closed];
}

/** One act of a person on one document: its decisions are carried out together or not at all. */
export class Sheet {
  constructor(data, mayOverlap) {
    this.mayOverlap = mayOverlap;
    this.pending = [];
    this.images = new Map();
    this.take(data);
  }

  /** Replaces everything by what the server says; raises nothing: what of `pending` cannot be any
   * more stays pending and is for the outbox to settle. */
  take(data) {
    Object.assign(this, data, { base: inOrder([...data.mentions]) });
    this.undoable = [...(data.undo ?? [])];
    this.redoable = [...(data.redo ?? [])];
    for (const act of this.pending) this.#remember(act);
    this.#replay();
  }

  /** Carries out `act` (`{ step, decisions }`) here, before the server does. Raises `Refused`. */
  carryOut(act) {
    this.mentions = this.#after(this.mentions, act);
    this.pending.push(act);
    this.#remember(act);
  }

  /** The server has carried out `act`; `delta` says what it changed. */
  confirm(act, delta) {
    this.pending = this.pending.filter(({ step }) => step !== act.step);
    const touched = new Set([...delta.gone, ...delta.mentions.map(({ id }) => id)]);
    this.base = inOrder([...this.base.filter(({ id }) => !touched.has(id)), ...delta.mentions]);
    Object.assign(this, { version: delta.version, status: delta.status });
    this.#replay();
  }

  /** Puts `act`, which waits to be sent, on top of what the server last said. */
  enqueue(act) {
    this.pending.push(act);
    this.#remember(act);
    this.#replay();
  }

  /** Forgets `act`, which the server refused. */
  drop(act) {
    this.replace(act, null);
  }

  /** Carries out `other` in the place of `act`; nothing where it is null. */
  replace(act, other) {
    this.pending = this.pending.flatMap((each) => (each.step === act.step ? (other ?? []) : each));
    this.#replay();
  }

  /** Whether every mention that `act` is about is still as it was when it was decided about. */
  stillMeant(act) {
    return act.decisions.every(({ mention, was }) => {
      if (!mention) return true;
      const now = this.base.find((each) => sameName(each, mention));
      return now !== undefined && now.state === was;
    });
  }

  /** `act` as it can be carried out now; null where nothing of it is left to do. */
  meantNow(act) {
    const decisions = act.decisions.flatMap((decision) => this.#meantNow(decision) ?? []);
    return decisions.length ? { ...act, decisions } : null;
  }

  /** `decision` about its mention as it is called now, or added where that is gone. */
  #meantNow(decision) {
    const { mention, action } = decision;
    const there = mention && (this.find(mention) ?? this.mentions.find((each) => sameSpan(each, mention)));
    const wanted = decision.label ?? mention?.label;
    if (!mention) return decision;
    if (!there && action === "reject") return null;
    if (!there) {
      const { start, end } = action === "resize" ? decision : mention;
      return { id: newId(), action: "add", start, end, label: wanted };
    }
    const moved = { ...decision, id: newId(), mention: nameOf(there), was: there.state };
    const isOther = action === "accept" && there.label !== wanted;
    return isOther ? { ...moved, action: "relabel", label: wanted } : moved;
  }

  find(name) {
    return name && this.mentions.find((mention) => sameName(mention, name));
  }

  /** The mention to begin at; null where there is none. */
  get first() {
    return this.mentions.find(needsPerson) ?? this.mentions.find(isOpen) ?? this.mentions[0] ?? null;
  }

  /** The next (or, for -1, previous) mention after `from` that needs a person, going round; of all
   * where none does. */
  beyond(from, direction) {
    const needing = this.mentions.filter(needsPerson);
    const among = needing.length ? needing : this.mentions;
    const order = direction > 0 ? among : among.toReversed();
    const place = ({ start, end }) => start - end / 1e9;
    const isBeyond = (each) => direction * (place(each) - place(from)) > 0;
    return (from && order.find(isBeyond)) ?? order[0];
  }

  /** The decision that makes `[start, end)` what `model` is; null where it is, or may not be. */
  labelling(start, end, model) {
    const beside = this.mentions.filter((each) => overlap(each, { start, end }));
    const there = beside.find((each) => sameSpan(each, { start, end }));
    const isTaken = beside.some(({ state }) => state === "accepted");
    if (start === model.start || isTaken) return null;
    if (!there) return { action: "add", start, end, label: model.label };
    if (there.label === model.label) return { action: "accept", mention: nameOf(there) };
    return { action: "relabel", mention: nameOf(there), label: model.label };
  }

  #replay() {
    this.mentions = this.base;
    for (const act of this.pending) {
      try {
        this.mentions = this.#after(this.mentions, act);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
      }
    }
  }

  #after(mentions, act) {
    const [undo] = act.decisions;
    if (undo.action === "undo") return this.#undone(mentions, act, undo.of);
    const image = { gone: [], made: [] };
    let now = mentions;
    for (const decision of act.decisions) {
      const [gone, made] = changeOf(now, decision, this.mayOverlap);
      now = [...now.filter((mention) => !gone.includes(mention)), ...made];
      image.gone.push(...gone.filter((mention) => !image.made.includes(mention)));
      image.made = [...image.made.filter((mention) => !gone.includes(mention)), ...made];
    }
    this.images.set(act.step, image);
    return inOrder(now);
  }

  /** Steps of before this page was opened have no image: their undoing shows when the server did it. */
  #undone(mentions, act, step) {
    const image = this.images.get(step);
    if (!image) return mentions;
    this.images.set(act.step, { gone: image.made, made: image.gone });
    const kept = mentions.filter((mention) => !image.made.some((made) => sameName(made, mention)));
    return inOrder([...kept, ...image.gone]);
  }

  #remember(act) {
    const [{ action, of }] = act.decisions;
    const isUndo = action === "undo";
    const isRedo = isUndo && this.redoable.includes(of);
    const without = (steps) => steps.filter((step) => step !== of && step !== act.step);
    this.undoable = without(this.undoable);
    this.redoable = isUndo ? without(this.redoable) : [];
    if (isUndo && !isRedo) this.redoable.push(act.step);
    else this.undoable.push(act.step);
  }
}

// --- The way to the server ------------------------------------------------------------------------
export const SIGNED_OUT = "You are signed out. Reload the page to sign in.";
export const NO_ANSWER =
  "No answer from the server. What you decided is kept; try again when the connection is back.";

export function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** Null where the browser keeps nothing. */
const storage = (() => {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
})();

const JSON_TYPE = "application/json";
const tokenOf = ({ body }) => JSON.parse(body.getAttribute("hx-headers"));

/** The server that the page came from, for `person`. `page` is any page of theirs; `warn` is told, in
 * words for the person, what went wrong. */
export class Server {
  #token = tokenOf(document);

  constructor({ person, page, warn }) {
    Object.assign(this, { person, page, warn });
  }

  /** Answers `{ status, data }`; a page to sign in at is a 401. Raises where nothing comes back, or
   * something in between answers with a page of its own: the server says all here in JSON. */
  async call(url, body) {
    let response = await this.#send(url, body);
    if (response.status === 403 && (await this.#renewed())) response = await this.#send(url, body);
    if (response.redirected) return { status: 401, data: {} };
    const isJson = response.headers.get("Content-Type")?.startsWith(JSON_TYPE);
    if (response.ok && !isJson) throw new Error("This is no answer of the server.");
    return { status: response.status, data: isJson ? await response.json() : {} };
  }

  #send(url, body) {
    return fetch(url, {
      method: body ? "POST" : "GET",
      headers: { ...this.#token, Accept: JSON_TYPE, "Content-Type": JSON_TYPE },
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(SILENCE),
    });
  }

  /** Takes over the token that signing in anew, in another tab, brought: of the same person alone,
   * for what one decided must never be sent as another's. */
  async #renewed() {
    const response = await fetch(this.page, { signal: AbortSignal.timeout(SILENCE) });
    if (!response.ok || response.redirected) return false;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    if (page.body.dataset.person !== String(this.person)) return false;
    this.#token = tokenOf(page);
    return true;
  }

  /** What the server answers, or null after telling what went wrong. */
  async ask(url, body) {
    try {
      const { status, data } = await this.call(url, body);
      if (status === 200) return data;
      const isOut = status === 401 || status === 403;
      this.warn(data.message ?? (isOut ? SIGNED_OUT : `The server said ${status}.`));
    } catch {
      this.warn(NO_ANSWER);
    }
    return null;
  }
}

/** What was decided and has not reached the server: sent at once and in order, kept in the browser
 * while the network is gone, and sent again by the next page where a tab died. What is kept are
 * addresses, ids, offsets and labels, never text. The server knows each decision by its id, so one
 * that arrives twice counts once. */
export class Outbox {
  #tab = newId();
  #count = 0;
  #time = 0;
  #sending = null;
  #failures = 0;
  #timer;
  #entries = [];
  #watched = new Set([this.#tab]);

  /** `post(entry)` answers `{ status, data }` and raises where nothing came back; `settle(entry,
   * status, data)` says what becomes of the entry: "done", "again" (at once), or why it has to wait
   * until the person asks again; `tell(state, count, why)` hears what is "saved", "saving" or "kept",
   * and why; `adopted` gets the entries that another tab left behind. */
  constructor(person, { post, settle, tell, adopted }) {
    this.prefix = `spanlight:outbox:${person}:`;
    Object.assign(this, { post, settle, tell, adopted });
    // Held for as long as this tab lives: so that another can tell what was left behind.
    navigator.locks?.request(this.prefix + this.#tab, () => new Promise(() => {}));
    addEventListener("online", () => this.flush());
  }

  get length() {
    return this.#entries.length;
  }

  /** Those that wait to be sent to `url`. */
  waitingFor(url) {
    return this.#entries.filter((entry) => entry.url === url);
  }

  /** Keeps `act` (`{ step, decisions }`) for `url` and sends it after all that was kept before.
   * `version` is that of the document when this was decided; it counts where the tab dies. */
  put(url, act, version) {
    this.#time = Math.max(this.#time, Date.now()); // a clock may be set back
    const key = `${this.prefix}${this.#time}:${String(this.#count++).padStart(6, "0")}:${this.#tab}`;
    const entry = { key, url, act, version };
    this.#entries.push(entry);
    this.#store(entry);
    this.flush();
  }

  /** Takes over what tabs that are no more left behind, oldest first; of tabs that live, when they
   * are no more. */
  adopt() {
    addEventListener("storage", ({ key, newValue }) => newValue && this.#watch(key));
    for (const key of this.#kept()) this.#watch(key);
  }

  #kept() {
    return Object.keys(storage ?? {}).filter((key) => key.startsWith(this.prefix)).toSorted();
  }

  #watch(key) {
    if (!key.startsWith(this.prefix)) return;
    const [time, , tab] = key.slice(this.prefix.length).split(":");
    if (this.#watched.has(tab)) return;
    this.#watched.add(tab);
    const age = Date.now() - Number(time);
    if (navigator.locks) navigator.locks.request(this.prefix + tab, () => this.#takeOver(tab));
    else setTimeout(() => this.#takeOver(tab), Math.max(0, ORPHAN_AFTER - age));
  }

  #takeOver(tab) {
    const found = this.#kept().filter((key) => key.endsWith(`:${tab}`));
    const entries = found.flatMap((key) => this.#read(key));
    this.#entries = [...entries, ...this.#entries].toSorted((one, other) => (one.key < other.key ? -1 : 1));
    this.#watched.delete(tab);
    this.adopted(entries);
    this.flush();
  }

  #read(key) {
    try {
      return [{ ...JSON.parse(storage.getItem(key)), key }];
    } catch {
      storage.removeItem(key);
      return [];
    }
  }

  #store({ key, url, act, version }) {
    try {
      storage.setItem(key, JSON.stringify({ url, act, version }));
    } catch {
      // No room, or storage is off: then this page alone keeps it, and says so when it is closed.
    }
  }

  #forget(entry) {
    storage?.removeItem(entry.key);
    this.#entries = this.#entries.filter(({ key }) => key !== entry.key);
  }

  /** Sends what waits, one after the other, until nothing is left or the way is barred. Whoever
   * asks while that is under way waits for the end of it. */
  async flush() {
    if (!this.#entries.length) return this.tell("saved");
    this.#sending ??= this.#sendAll();
    return this.#sending;
  }

  async #sendAll() {
    clearTimeout(this.#timer);
    try {
      while (this.#entries.length && (await this.#sendFirst()));
    } finally {
      this.#sending = null;
    }
    if (!this.#entries.length) this.tell("saved");
  }

  async #sendFirst() {
    const [entry] = this.#entries;
    if (this.#failures === 0) this.tell("saving");
    let answer;
    try {
      answer = await this.post(entry);
    } catch {
      return this.#wait("no answer from the server");
    }
    if (answer.status >= 500 || answer.status === 429) return this.#wait(`the server said ${answer.status}`);
    this.#failures = 0;
    const verdict = await this.settle(entry, answer.status, answer.data);
    if (verdict === "done") this.#forget(entry);
    else if (verdict === "again") this.#store(entry);
    else this.tell("kept", this.length, verdict);
    return verdict === "done" || verdict === "again";
  }

  #wait(why) {
    const pause = Math.min(LONGEST_WAIT, 250 * 2 ** this.#failures);
    this.#failures += 1;
    this.#timer = setTimeout(() => this.flush(), pause);
    this.tell("kept", this.length, why);
    return false;
  }
}

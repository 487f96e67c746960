// The document's text on the page: its paragraphs, the marks around mentions, and the way between
// places in the page and offsets. Tags behind mentions are not text; offsets are code points.
// A long document is drawn where it is looked at first; the rest follows when the browser is idle. It
// stands in blocks of paragraphs: the browser looks after each block that is out of sight as a whole
// (app.css), and a key is seen as soon in a long document as in a short one.

const LINE = /([^\r\n]*)(\r\n|\r|\n|$)/g;
const LONGEST = 3000;
const NEAR = "600px";
// Characters of a block and, about, of a line on the screen; a paragraph takes at least a line.
const BLOCK = 2000;
const WIDTH = 70;

/** Lines on the screen that `paragraph` takes, about. */
const linesOf = ({ points }) => Math.ceil(points / WIDTH) || 1;

/** Cuts `text` into paragraphs, very long ones at white space, without losing a character. */
function* paragraphsOf(text) {
  let start = 0;
  for (const [whole, words, ending] of text.matchAll(LINE)) {
    let rest = words;
    while (rest.length > LONGEST) {
      const space = rest.lastIndexOf(" ", LONGEST);
      let cut = space > LONGEST / 2 ? space + 1 : LONGEST;
      if (/[\udc00-\udfff]/.test(rest[cut])) cut -= 1;
      const words = rest.slice(0, cut);
      yield { words, start, points: countPoints(words), broken: true };
      start += countPoints(words);
      rest = rest.slice(cut);
    }
    yield { words: rest, start, points: countPoints(rest), broken: false };
    start += countPoints(rest) + ending.length;
    if (!ending || !whole) return;
  }
}

export class TextView {
  /** `root` holds the paragraphs; `markOf(mention)` and `tagOf(mention)` make what marks it. */
  constructor(root, markOf, tagOf) {
    Object.assign(this, { root, markOf, tagOf, paragraphs: [], byNode: new Map() });
    this.near = new IntersectionObserver((seen) => this.#arrive(seen), { rootMargin: NEAR });
  }

  open(text) {
    this.near.disconnect();
    this.paragraphs = [...paragraphsOf(text)];
    for (const paragraph of this.paragraphs) {
      const node = document.createElement("p");
      node.className = paragraph.broken ? "line broken" : "line";
      node.dir = "auto";
      node.textContent = paragraph.words;
      const plain = paragraph.points === paragraph.words.length;
      Object.assign(paragraph, { node, plain, mentions: [], look: "", drawn: "" });
    }
    this.byNode = new Map(this.paragraphs.map((paragraph) => [paragraph.node, paragraph]));
    this.blocks = new Map(this.#inBlocks().map((block) => [block.node, block]));
    this.root.replaceChildren(...this.blocks.keys());
    this.isLong = this.blocks.size > 4;
    this.root.classList.toggle("long", this.isLong);
    for (const node of this.blocks.keys()) this.near.observe(node);
  }

  /** The paragraphs in blocks, the first of which is drawn at once. */
  #inBlocks() {
    const blocks = [];
    let lines = Infinity;
    for (const paragraph of this.paragraphs) {
      if (lines * WIDTH >= BLOCK) {
        blocks.push({ node: document.createElement("div"), paragraphs: [], isNear: !blocks.length });
        lines = 0;
      }
      const block = blocks.at(-1);
      paragraph.block = block;
      block.paragraphs.push(paragraph);
      lines += linesOf(paragraph);
      block.node.style.setProperty("--lines", lines);
    }
    for (const { node, paragraphs } of blocks) {
      node.className = "block";
      node.append(...paragraphs.map((paragraph) => paragraph.node));
    }
    return blocks;
  }

  /** Shows `mentions` (in the order of the text); only paragraphs that look different are drawn. */
  show(mentions, lookOf) {
    for (const paragraph of this.paragraphs) paragraph.mentions = [];
    let at = 0;
    for (const mention of mentions) {
      while (at < this.paragraphs.length - 1 && this.paragraphs[at + 1].start <= mention.start) at += 1;
      for (let n = at; n < this.paragraphs.length && this.paragraphs[n].start < mention.end; n += 1) {
        this.paragraphs[n].mentions.push(mention);
      }
    }
    let late = false;
    for (const paragraph of this.paragraphs) {
      paragraph.look = paragraph.mentions.map(lookOf).join("\n");
      if (paragraph.look === paragraph.drawn) continue;
      if (paragraph.drawn || paragraph.block.isNear) this.#draw(paragraph);
      else late = true;
    }
    if (late) this.#drawRest();
  }

  #arrive(seen) {
    for (const { target, isIntersecting } of seen) {
      const block = this.blocks.get(target);
      if (!block || !isIntersecting) continue;
      block.isNear = true;
      this.near.unobserve(target);
      for (const paragraph of block.paragraphs) {
        if (paragraph.look !== paragraph.drawn) this.#draw(paragraph);
      }
    }
  }

  #drawRest() {
    (window.cancelIdleCallback ?? clearTimeout)(this.rest);
    const idle = window.requestIdleCallback ?? ((act) => setTimeout(() => act({ timeRemaining: () => 8 })));
    this.rest = idle((deadline) => {
      const waiting = this.paragraphs.filter(({ look, drawn }) => look !== drawn);
      while (waiting.length && deadline.timeRemaining() > 2) this.#draw(waiting.shift());
      if (waiting.length) this.#drawRest();
    });
  }

  /** Draws the paragraphs of `[start, end)` now, so that what is in them can take the focus. */
  reach(start, end) {
    for (let n = this.#indexAt(start); this.paragraphs[n]?.start < end; n += 1) {
      const paragraph = this.paragraphs[n];
      if (paragraph.look !== paragraph.drawn) this.#draw(paragraph);
    }
  }

  /** The tags of what is marked at `[start, end)`, drawn now. */
  tagsOf({ start, end }) {
    this.reach(start, end);
    const tags = [...this.at(end - 1).node.querySelectorAll(".tag")];
    const isIts = ({ mention }) => mention.start === start && mention.end === end;
    return tags.filter((tag) => isIts(tag.parentElement));
  }

  // Marks always nest, as the page needs: where two mentions cross, the one that started later is
  // closed and opened again. Its tag stands behind its last piece.
  #draw(paragraph) {
    const { words, start, mentions, node } = paragraph;
    const spans = mentions.map((mention) => ({
      mention,
      from: Math.max(0, this.#index(paragraph, mention.start - start)),
      to: Math.min(words.length, this.#index(paragraph, mention.end - start)),
      ends: mention.end <= start + paragraph.points,
    }));
    const cuts = [...new Set([0, words.length, ...spans.flatMap(({ from, to }) => [from, to])])];
    cuts.sort((a, b) => a - b);
    const drawn = document.createDocumentFragment();
    let stack = [];
    const close = (kept, at) => {
      for (const { span, mark } of stack.splice(kept).toReversed()) {
        if (span.ends && span.to === at) mark.append(...this.tagOf(span.mention));
      }
    };
    for (let n = 0; n + 1 < cuts.length; n += 1) {
      const inside = spans.filter(({ from, to }) => from <= cuts[n] && to > cuts[n]);
      let kept = 0;
      while (kept < stack.length && stack[kept].span === inside[kept]) kept += 1;
      close(kept, cuts[n]);
      for (const span of inside.slice(kept)) {
        const mark = this.markOf(span.mention);
        (stack.at(-1)?.mark ?? drawn).append(mark);
        stack.push({ span, mark });
      }
      (stack.at(-1)?.mark ?? drawn).append(words.slice(cuts[n], cuts[n + 1]));
    }
    close(0, words.length);
    node.replaceChildren(drawn);
    paragraph.drawn = paragraph.look;
  }

  // --- Offsets --------------------------------------------------------------------------------
  #index(paragraph, points) {
    if (points <= 0) return 0;
    return paragraph.plain ? points : utf16Index(paragraph.words, points);
  }

  #points(paragraph, index) {
    const before = paragraph.plain ? index : countPoints(paragraph.words.slice(0, index));
    return paragraph.start + before;
  }

  /** The paragraph in which `offset` is. */
  at(offset) {
    return this.paragraphs[this.#indexAt(offset)];
  }

  #indexAt(offset) {
    let [low, high] = [0, this.paragraphs.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.paragraphs[middle].start <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The words from `start` to `end`; where they cross lines, these are put together by spaces. */
  surface(start, end) {
    const parts = [];
    for (let n = this.#indexAt(start); this.paragraphs[n]?.start < end; n += 1) {
      const p = this.paragraphs[n];
      parts.push(p.words.slice(this.#index(p, start - p.start), this.#index(p, end - p.start)));
    }
    return parts.join(" ");
  }

  /** Where `surface` stands, as `[start, end]`, not inside a longer word. */
  *occurrences(surface) {
    if (!surface.trim()) return;
    for (const paragraph of this.paragraphs) {
      const { words } = paragraph;
      for (let at = words.indexOf(surface); at >= 0; at = words.indexOf(surface, at + 1)) {
        const end = at + surface.length;
        if (wordStart(words, at) !== at || wordEnd(words, end) !== end) continue;
        yield [this.#points(paragraph, at), this.#points(paragraph, end)];
        at = end - 1;
      }
    }
  }

  /** What is selected, grown to whole words and shrunk by white space: `{ start, end }` or null. */
  selectedSpan(selection = window.getSelection()) {
    if (!selection.rangeCount || selection.isCollapsed) return null;
    const range = selection.getRangeAt(0);
    let from = this.#place(range.startContainer, range.startOffset);
    let to = this.#place(range.endContainer, range.endOffset);
    if (!from || !to) return null;
    [from, to] = [this.#skip(from, 1), this.#skip(to, -1)];
    const start = this.#points(from.paragraph, wordStart(from.paragraph.words, from.index));
    const end = this.#points(to.paragraph, wordEnd(to.paragraph.words, to.index));
    const crossed = this.#points(from.paragraph, from.index) >= this.#points(to.paragraph, to.index);
    return crossed ? null : { start, end };
  }

  /** Over white space and line breaks, forwards or (-1) backwards. */
  #skip({ paragraph, index }, direction) {
    let n = this.paragraphs.indexOf(paragraph);
    for (;;) {
      const { words } = this.paragraphs[n];
      const next = words[direction > 0 ? index : index - 1];
      if (next !== undefined && !/\s/.test(next)) break;
      if (next !== undefined) index += direction;
      else if (this.paragraphs[n + direction]) {
        n += direction;
        index = direction > 0 ? 0 : this.paragraphs[n].words.length;
      } else break;
    }
    return { paragraph: this.paragraphs[n], index };
  }

  /** The place `(node, offset)` as a paragraph and an index in its words; null outside. */
  #place(node, offset) {
    if (!this.root.contains(node)) return null;
    const line = (node.nodeType === Node.TEXT_NODE ? node.parentElement : node).closest(".line");
    if (!line) return this.#between(node, offset);
    const upTo = document.createRange();
    upTo.setStart(line, 0);
    upTo.setEnd(node, offset);
    let index = 0;
    for (const text of textNodes(line)) {
      if (text === node) return { paragraph: this.byNode.get(line), index: index + offset };
      if (upTo.comparePoint(text, text.length) > 0) break;
      index += text.length;
    }
    return { paragraph: this.byNode.get(line), index };
  }

  /** A place that is in no line: the begin of the line behind it, or the end of the last. */
  #between(node, offset) {
    const lines = [...node.querySelectorAll(".line")];
    const behind = node.childNodes[offset];
    const next = behind && lines.find((line) => behind.contains(line));
    const paragraph = this.byNode.get(next ?? lines.at(-1));
    return { paragraph, index: next ? 0 : paragraph.words.length };
  }

  /** The DOM range of `[start, end)`. */
  rangeOf(start, end) {
    const range = document.createRange();
    range.setStart(...this.#domPoint(start, true));
    range.setEnd(...this.#domPoint(end, false));
    return range;
  }

  #domPoint(offset, opening) {
    const paragraph = this.at(opening ? offset : Math.max(0, offset - 1));
    let left = this.#index(paragraph, offset - paragraph.start);
    let last = null;
    for (const node of textNodes(paragraph.node)) {
      last = node;
      if (left < node.length || (left === node.length && !opening)) return [node, left];
      left -= node.length;
    }
    return last ? [last, last.length] : [paragraph.node, 0];
  }

  // --- Words and characters -----------------------------------------------------------------------
  /** The nearest start or end (`side`) of a word or `grapheme` beyond `offset` in `direction` (1, -1);
   * `offset` itself where there is none. */
  edge(offset, direction, granularity = "word", side = direction > 0 ? "end" : "start") {
    const from = this.#indexAt(direction > 0 ? offset : Math.max(0, offset - 1));
    for (let n = from; this.paragraphs[n]; n += direction) {
      const edges = this.#edges(this.paragraphs[n], granularity, side);
      const found =
        direction > 0 ? edges.find((edge) => edge > offset) : edges.findLast((edge) => edge < offset);
      if (found !== undefined) return found;
    }
    return offset;
  }

  #edges(paragraph, granularity, side) {
    const segmenter = new Intl.Segmenter(undefined, { granularity });
    return [...segmenter.segment(paragraph.words)]
      .filter((part) => part.isWordLike ?? /\S/.test(part.segment))
      .map(({ index, segment }) => this.#points(paragraph, side === "end" ? index + segment.length : index));
  }
}

function textNodes(line) {
  const found = [];
  const walker = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (!node.parentElement.closest(".tag, .drop")) found.push(node);
  }
  return found;
}

// --- UTF-16 and code points ---------------------------------------------------------------------
// The server counts code points, JavaScript strings UTF-16 units. Nothing else converts between them.

/** How many code points `text` has. */
export function countPoints(text) {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** The index in UTF-16 units of the code point number `points` of `text`. */
export function utf16Index(text, points) {
  let index = 0;
  for (const character of text) {
    if (points <= 0) break;
    points -= 1;
    index += character.length;
  }
  return index;
}

const WORD = /^[\p{L}\p{N}\p{M}_]$/u;
// Scripts written without spaces between words: there a selection is taken as it is.
const UNSPACED =
  /^[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Thai}\p{scx=Laoo}\p{scx=Khmr}\p{scx=Mymr}]$/u;

const joins = (character) => WORD.test(character) && !UNSPACED.test(character);
const after = (text, index) => String.fromCodePoint(text.codePointAt(index) ?? 0x20);

function before(text, index) {
  const low = text.charCodeAt(index - 1);
  const paired = low >= 0xdc00 && low <= 0xdfff && index > 1;
  return text.slice(index - (paired ? 2 : 1), index);
}

/** `index` (UTF-16), moved back to the edge of the word it stands inside of. */
export function wordStart(text, index) {
  if (index >= text.length || !joins(after(text, index))) return index;
  while (index > 0 && joins(before(text, index))) index -= before(text, index).length;
  return index;
}

/** `index` (UTF-16), moved on to the edge of the word it stands inside of. */
export function wordEnd(text, index) {
  if (index <= 0 || !joins(before(text, index))) return index;
  while (index < text.length && joins(after(text, index))) index += after(text, index).length;
  return index;
}

// Between places in the page and offsets in the document's text. The tags behind mentions are
// not text, and a line break is where one line ends and the next begins.

import { countPoints, utf16Index, wordEnd, wordStart } from "./offsets.js";

function textNodes(line) {
  const found = [];
  const walker = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (!node.parentElement.closest(".tag")) found.push(node);
  }
  return found;
}

const lineText = (line) => textNodes(line).map((node) => node.data).join("");
const lineStart = (line) => Number(line.dataset.start);

/** The place `(node, offset)` as a line and an index in its text (UTF-16); null outside. */
function placeOf(root, node, offset) {
  if (!root.contains(node)) return null;
  if (node === root) {
    const line = root.children[offset];
    const last = root.lastElementChild;
    return line ? { line, index: 0 } : { line: last, index: lineText(last).length };
  }
  const line = (node.nodeType === Node.TEXT_NODE ? node.parentElement : node).closest(".line");
  const upTo = document.createRange();
  upTo.selectNodeContents(line);
  upTo.setEnd(node, offset);
  let index = 0;
  for (const text of textNodes(line)) {
    if (text === node) return { line, index: index + offset };
    if (upTo.comparePoint(text, text.length) > 0) break;
    index += text.length;
  }
  return { line, index };
}

/** Moves both places inward past white space; null when nothing is left between them. */
function trimmed(from, to) {
  const crossed = () =>
    lineStart(from.line) > lineStart(to.line) || (from.line === to.line && from.index >= to.index);
  while (!crossed()) {
    const character = lineText(from.line)[from.index];
    if (character === undefined) from = { line: from.line.nextElementSibling, index: 0 };
    else if (/\s/.test(character)) from = { line: from.line, index: from.index + 1 };
    else break;
  }
  while (!crossed()) {
    if (to.index === 0) {
      const line = to.line.previousElementSibling;
      to = { line, index: lineText(line).length };
    } else if (/\s/.test(lineText(to.line)[to.index - 1])) {
      to = { line: to.line, index: to.index - 1 };
    } else break;
  }
  return crossed() ? null : [from, to];
}

const pointOf = ({ line, index }) => lineStart(line) + countPoints(lineText(line).slice(0, index));

/** What is selected inside `root`, grown to whole words: `{ start, end }`, or null. */
export function selectedSpan(root, selection = window.getSelection()) {
  if (!selection.rangeCount || selection.isCollapsed) return null;
  const range = selection.getRangeAt(0);
  const from = placeOf(root, range.startContainer, range.startOffset);
  const to = placeOf(root, range.endContainer, range.endOffset);
  const inner = from && to && trimmed(from, to);
  if (!inner) return null;
  const [first, last] = inner;
  first.index = wordStart(lineText(first.line), first.index);
  last.index = wordEnd(lineText(last.line), last.index);
  return { start: pointOf(first), end: pointOf(last) };
}

function domPoint(root, offset) {
  const lines = [...root.children];
  const line = lines.findLast((candidate) => lineStart(candidate) <= offset) ?? lines[0];
  let left = utf16Index(lineText(line), offset - lineStart(line));
  const nodes = textNodes(line);
  for (const node of nodes) {
    if (left <= node.length) return [node, left];
    left -= node.length;
  }
  const last = nodes.at(-1);
  return last ? [last, last.length] : [line, 0];
}

/** The DOM range of `[start, end)`. */
export function rangeOf(root, start, end) {
  const range = document.createRange();
  range.setStart(...domPoint(root, start));
  range.setEnd(...domPoint(root, end));
  return range;
}

/** The words of the text as spans, in order. */
export function words(root) {
  const segmenter = new Intl.Segmenter(undefined, { granularity: "word" });
  return [...root.children].flatMap((line) => {
    const text = lineText(line);
    return [...segmenter.segment(text)]
      .filter((part) => part.isWordLike)
      .map(({ index, segment }) => {
        const start = pointOf({ line, index });
        return { start, end: start + countPoints(segment) };
      });
  });
}

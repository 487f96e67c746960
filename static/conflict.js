// Where two people decided about one mention: both sides are shown, and the person chooses.

import { nameOf, newId, sameSpan } from "./sheet.js";

/** Asks in `dialog` whether `act` or what stands in the sheet `now` is to be kept. Answers `act` as
 * it can be carried out now, or null where nothing of it is left to do. */
export async function settled(act, now, dialog) {
  return (await keepsMine(act, now, dialog)) ? onto(act, now) : null;
}

function onto(act, now) {
  const decisions = act.decisions.flatMap((decision) => meantNow(decision, now) ?? []);
  return decisions.length ? { ...act, decisions } : null;
}

/** `decision` about its mention as it is called now, or added where it is gone; null where nothing
 * is left to decide. */
function meantNow(decision, now) {
  const { mention, action } = decision;
  const there = mention && (now.find(mention) ?? now.mentions.find((each) => sameSpan(each, mention)));
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

function keepsMine(act, now, dialog) {
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

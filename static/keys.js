// The keys of the account page: pressing a combination fills it in. Typing it works as well.

import { combination } from "./gestures.js";

const said = document.getElementById("pressed");
const buttons = [...document.querySelectorAll("[data-press]")];
let listening = null;
let held = null;

function listen(button) {
  stop();
  listening = button;
  button.setAttribute("aria-pressed", "true");
  button.textContent = "Press…";
  said.textContent = "Press the new keys.";
}

function stop(words = "") {
  if (!listening) return;
  listening.setAttribute("aria-pressed", "false");
  listening.textContent = "Press";
  listening = null;
  said.textContent = words;
}

function take(event) {
  if (!listening || event.isComposing) return;
  if (event.key === "Tab") return stop("Nothing changed.");
  const pressed = combination(event);
  event.preventDefault();
  if (event.key === "Escape") return stop("Nothing changed.");
  if (!pressed) return;
  document.getElementById(listening.dataset.press).value = pressed;
  held = listening;
  stop(`${pressed}. Not saved yet.`);
}

for (const button of buttons) {
  button.hidden = false;
  button.setAttribute("aria-pressed", "false");
  button.addEventListener("click", () => (listening === button ? stop() : listen(button)));
  button.addEventListener("blur", () => stop());
}
for (const hint of document.querySelectorAll("[data-press-hint]")) hint.hidden = false;
document.addEventListener("keydown", take);
// Letting go of Space would press the button once more.
document.addEventListener("keyup", (event) => {
  if (event.target === held && event.key === " ") event.preventDefault();
  held = null;
});

// The tour of the review page: three steps that point at what they speak of. Loaded only for whoever
// has not seen it.

const tour = document.getElementById("tour");
const steps = [...tour.querySelectorAll(".tour-step")];
const next = tour.querySelector("[data-tour='next']");
const back = tour.querySelector("[data-tour='back']");
const form = tour.querySelector("form");
let at = 0;

const targets = () => [...document.querySelectorAll(steps[at].dataset.target)];

/** What the page scrolls to stays clear of the tour while that is there. */
function setHidden(isHidden) {
  tour.hidden = isHidden;
  document.documentElement.classList.toggle("touring", !isHidden);
}

/** Outlines what the step speaks of; called again whenever the page draws something anew. */
function outline() {
  const wanted = new Set(tour.hidden ? [] : targets());
  for (const element of document.querySelectorAll(".tour-target")) {
    if (!wanted.has(element)) element.classList.remove("tour-target");
  }
  for (const element of wanted) element.classList.add("tour-target");
}

function show(step) {
  at = step;
  steps.forEach((element, n) => (element.hidden = n !== at));
  back.disabled = at === 0;
  next.textContent = at === steps.length - 1 ? "Done" : "Next";
  outline();
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  targets()[0]?.scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
}

/** Closes the tour for good; should the server not hear of it, it is shown once more. */
function dismiss() {
  const hadFocus = tour.contains(document.activeElement);
  setHidden(true);
  drawn.disconnect();
  outline();
  if (hadFocus) document.getElementById("main").focus();
  fetch(form.action, { method: "POST", body: new FormData(form), keepalive: true }).catch(() => {});
}

next.addEventListener("click", () => (at === steps.length - 1 ? dismiss() : show(at + 1)));
back.addEventListener("click", () => {
  show(at - 1);
  if (at === 0) next.focus();
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  dismiss();
});
// Keys of its buttons are not keys of the page.
tour.addEventListener("keydown", (event) => {
  if (["Enter", " ", "Escape"].includes(event.key)) event.stopPropagation();
  if (event.key === "Escape") dismiss();
});

const drawn = new MutationObserver(outline);
drawn.observe(document.getElementById("main"), { childList: true, subtree: true });
setHidden(false);
show(0);

// Times in the reader's own time zone. The server writes them in UTC and says so, for whoever reads
// without this script.

const language = navigator.languages.find((each) => each.startsWith("en")) ?? "en-GB";
const both = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" });
const formats = { both, time: new Intl.DateTimeFormat(language, { timeStyle: "medium" }) };

function localise(root) {
  for (const time of root.querySelectorAll("time[data-local]")) {
    const at = new Date(time.dateTime);
    time.textContent = formats[time.dataset.local].format(at);
    time.title = new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "long" }).format(at);
    delete time.dataset.local;
  }
}

localise(document);
document.addEventListener("htmx:load", ({ target }) => localise(target));

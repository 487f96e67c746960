// What every page needs: the theme, dialogs, further rows of labels, and progress of an upload.

function toggleTheme() {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = root.dataset.theme ?? (dark ? "dark" : "light");
  root.dataset.theme = now === "dark" ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
}

function addRow(fieldset) {
  const count = fieldset.querySelector("input[name$='-TOTAL_FORMS']");
  const row = fieldset.querySelector("template").content.cloneNode(true);
  for (const element of row.querySelectorAll("[name], [id], [for]")) {
    for (const attribute of ["name", "id", "for"]) {
      const value = element.getAttribute(attribute);
      if (value) element.setAttribute(attribute, value.replace("__prefix__", count.value));
    }
  }
  count.value = Number(count.value) + 1;
  const rows = fieldset.querySelector(".label-rows");
  rows.append(row);
  rows.lastElementChild.querySelector("input").focus();
}

document
  .querySelector(".sections [aria-current]")
  ?.scrollIntoView({ block: "nearest", inline: "center" });

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-theme-toggle]")) toggleTheme();
  const opener = event.target.closest("[data-open]");
  if (opener) document.getElementById(opener.dataset.open).showModal();
  const adder = event.target.closest("[data-add-row]");
  if (adder) addRow(adder.closest("[data-rows]"));
});

for (const adder of document.querySelectorAll("[data-add-row]")) adder.hidden = false;

// --- Upload -----------------------------------------------------------------------------------
const uploadPart = (name) => document.getElementById(`upload-${name}`);

document.addEventListener("htmx:xhr:progress", ({ target, detail }) => {
  if (target.id !== "upload" || !detail.lengthComputable) return;
  const percent = Math.round((100 * detail.loaded) / detail.total);
  const sent = percent === 100;
  uploadPart("progress").hidden = false;
  if (sent) uploadPart("progress").removeAttribute("value");
  else uploadPart("progress").value = percent;
  uploadPart("state").textContent = sent ? "Reading the file…" : `Uploading, ${percent}%`;
});

for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
  document.addEventListener(name, ({ target }) => {
    if (target.id !== "upload") return;
    uploadPart("progress").hidden = true;
    uploadPart("state").textContent =
      "The file did not arrive. Check the connection and try again; nothing was taken in.";
  });
}

// What the forms need: dialogs, further rows of labels, and progress of an upload.

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
  const opener = event.target.closest("[data-open]");
  if (opener) document.getElementById(opener.dataset.open).showModal();
  const adder = event.target.closest("[data-add-row]");
  if (adder) addRow(adder.closest("[data-rows]"));
});

for (const adder of document.querySelectorAll("[data-add-row]")) adder.hidden = false;

// --- Upload -----------------------------------------------------------------------------------
const uploadPart = (name) => document.getElementById(`upload-${name}`);

let uploadBegun = 0;

document.addEventListener("htmx:beforeSend", ({ target }) => {
  if (target.id !== "upload") return;
  uploadBegun = performance.now();
  uploadPart("cancel").hidden = false;
});

// Told only after some seconds, and roughly: before, it would jump about.
function uploadLeft(loaded, total) {
  const seconds = (performance.now() - uploadBegun) / 1000;
  if (seconds < 3 || !loaded) return "";
  const left = (seconds * (total - loaded)) / loaded;
  return left < 60 ? ", less than a minute left" : `, about ${Math.round(left / 60)} min left`;
}

document.addEventListener("htmx:xhr:progress", ({ target, detail }) => {
  if (target.id !== "upload" || !detail.lengthComputable) return;
  const percent = Math.round((100 * detail.loaded) / detail.total);
  const sent = percent === 100;
  uploadPart("progress").hidden = false;
  // Once all of it arrived the server takes it in whole, whatever this page does.
  uploadPart("cancel").hidden = sent;
  if (sent) uploadPart("progress").removeAttribute("value");
  else uploadPart("progress").value = percent;
  uploadPart("state").textContent = sent
    ? "Reading the file…"
    : `Uploading, ${percent}%${uploadLeft(detail.loaded, detail.total)}`;
});

document.addEventListener("click", ({ target }) => {
  if (target.id === "upload-cancel") window.htmx.trigger("#upload", "htmx:abort");
});

document.addEventListener("htmx:xhr:abort", ({ target }) => {
  if (target.id !== "upload") return;
  uploadPart("progress").hidden = uploadPart("cancel").hidden = true;
  uploadPart("state").textContent = "Cancelled. Nothing was taken in.";
});

for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
  document.addEventListener(name, ({ target }) => {
    if (target.id !== "upload") return;
    uploadPart("progress").hidden = uploadPart("cancel").hidden = true;
    uploadPart("state").textContent =
      "The file did not arrive. Check the connection and try again; nothing was taken in.";
  });
}

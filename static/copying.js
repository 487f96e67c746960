// A table goes to the clipboard as tab-separated values: what a spreadsheet takes.

const cellText = (cell) => {
  const exact = cell.querySelector("data");
  return (exact ? exact.value : cell.textContent).replace(/\s+/g, " ").trim();
};

export const asTsv = (table) =>
  [...table.rows].map((row) => [...row.cells].map(cellText).join("\t")).join("\n");

async function copy(button) {
  const said = button.parentElement.querySelector("[role='status']");
  try {
    await navigator.clipboard.writeText(asTsv(document.getElementById(button.dataset.copy)));
    said.textContent = "Copied.";
  } catch {
    said.textContent = "The browser did not allow it; select the table and copy it.";
  }
}

// Without a secure address there is no clipboard, so the button stays hidden.
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", () => copy(button));
}

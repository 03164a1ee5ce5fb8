// Puts a button behind each fingerprint that copies it. Without this script
// there is none, and nothing else is missing.
"use strict";

function bySelection(code) {
  const selection = getSelection();
  selection.selectAllChildren(code);
  return document.execCommand("copy");
}

async function copy(code) {
  try {
    await navigator.clipboard.writeText(code.dataset.copy);
    return true;
  } catch { // no https, or not allowed
    return bySelection(code);
  }
}

for (const code of document.querySelectorAll("[data-copy]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy fingerprint";
  button.value = code.dataset.copy;
  button.setAttribute("aria-describedby", code.id);
  const said = document.createElement("span");
  said.className = "said";
  said.setAttribute("role", "status");
  button.addEventListener("click", async () => {
    said.textContent = await copy(code) ? "Copied." : "Not copied: mark it and copy it by hand.";
  });
  const line = document.createElement("p");
  line.className = "copying";
  line.append(button, said);
  code.parentElement.after(line);
}

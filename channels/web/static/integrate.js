// Copy buttons, and the colour of the preview. Without a script the texts can be selected with one click all the same.
const said = document.getElementById("copied");

async function copy(code) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    return true;
  } catch {
    // A page on http:// has no clipboard, and a browser may refuse it: the older way, which a click allows everywhere.
    getSelection().selectAllChildren(code);
    return document.execCommand("copy");
  }
}

for (const button of document.querySelectorAll("button[data-copy]")) {
  button.addEventListener("click", async () => {
    const done = await copy(document.getElementById(button.dataset.copy));
    said.textContent = "";
    for (const other of document.querySelectorAll("button[data-done]")) delete other.dataset.done;
    if (done) button.dataset.done = "yes";
    requestAnimationFrame(() => (said.textContent = done ? said.dataset.copied : said.dataset.press));
  });
  button.hidden = false;
}

document.getElementById("no-script").remove();
const stage = document.getElementById("stage");
for (const widget of stage.querySelectorAll("dossier-status")) {
  widget.style.setProperty("--ds-accent", stage.dataset.accent);
}

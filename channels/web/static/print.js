// Shows the button that prints. Without a script nobody sees it, and the browser's own menu prints as well.
for (const button of document.querySelectorAll("button.print")) {
  button.addEventListener("click", () => window.print());
  button.hidden = false;
}

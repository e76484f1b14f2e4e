// One key prints: the button has the focus when the page is there, so that Enter is enough. Without a script nobody sees the
// button, and the browser's own menu prints as well. A roll is cut where the receipt ends.
const MM_PER_PIXEL = 25.4 / 96;

function cutTheRoll() {
  const paper = document.querySelector(".roll main");
  if (!paper) return;
  const sheet = new CSSStyleSheet();
  const length = Math.ceil(paper.getBoundingClientRect().height * MM_PER_PIXEL) + 6;
  sheet.replaceSync(`@page { size: 80mm ${length}mm; }`);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}

await document.fonts.ready;
cutTheRoll();
for (const button of document.querySelectorAll("button.print")) {
  button.addEventListener("click", () => window.print());
  button.hidden = false;
  button.focus({ preventScroll: true });
}

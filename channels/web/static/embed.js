// Gives the look-up in a frame the colour of its site: a style in the markup would need a weaker policy.
for (const widget of document.querySelectorAll("[data-accent]")) {
  widget.style.setProperty("--ds-accent", widget.dataset.accent);
}

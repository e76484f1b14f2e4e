// Follows a file while it is read or taken, and opens the browser's print dialogue. The pages work without it: there is a
// link that loads the page again, and browsers can print by themselves.

const EVERY_MS = 1000;
const byId = (id) => document.getElementById(id);

async function look(section) {
  try {
    const response = await fetch(section.dataset.progress, { headers: { Accept: "application/json" } });
    if (!response.ok || response.redirected) return; // the link on the page says why
    const news = await response.json();
    if (news.over) {
      window.location.assign(section.dataset.page);
      return;
    }
    byId("late-text").textContent = news.text;
    if (news.of) {
      byId("late-bar").max = news.of;
      byId("late-bar").value = news.done;
    }
  } catch {
    // the next look tells
  }
  window.setTimeout(look, EVERY_MS, section);
}

const moving = byId("late-moving");
if (moving) window.setTimeout(look, EVERY_MS, moving);

const print = byId("print");
if (print) {
  print.hidden = false;
  print.addEventListener("click", () => window.print());
}

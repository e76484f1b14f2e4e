// Counts while a broadcast is written, puts placeholders in, asks before stopping, follows progress. The pages work
// without it: there are buttons that ask the server, and links that load the page again.

const byId = (id) => document.getElementById(id);
const PAUSE_MS = 600;
const AGAIN_MS = 1500; // of a large audience the rest is counted meanwhile

function element(name, words) {
  const made = document.createElement(name);
  made.textContent = words;
  return made;
}

const pairs = (rows) => rows.flatMap(([name, value]) => [element("dt", name), element("dd", value)]);

// ---- counting

function counter(form) {
  const place = byId("count");
  let waiting = 0;
  let asked = null;
  let told = "";

  function show(sections) {
    const text = JSON.stringify(sections);
    if (text === told) return; // it is read out when it changes
    told = text;
    place.replaceChildren(
      ...sections.flatMap((section) => {
        const list = document.createElement("dl");
        list.append(...pairs(section.rows));
        return [element("h3", section.title), list];
      }),
    );
  }

  async function ask() {
    asked?.abort();
    asked = new AbortController();
    try {
      const response = await fetch(form.dataset.count, {
        method: "POST",
        headers: { Accept: "application/json" },
        body: new URLSearchParams(new FormData(form)),
        signal: asked.signal,
      });
      if (!response.ok || response.redirected) return;
      const news = await response.json();
      show(news.sections);
      if (news.counting) soon(AGAIN_MS);
    } catch (error) {
      if (error.name !== "AbortError") place.dataset.old = "true"; // the button asks again
    }
  }

  function soon(pause) {
    window.clearTimeout(waiting);
    waiting = window.setTimeout(ask, pause);
  }

  form.addEventListener("input", () => soon(PAUSE_MS));
  form.addEventListener("change", () => soon(PAUSE_MS));
  if (place.dataset.counting) soon(AGAIN_MS);
}

// ---- placeholders

function inserter(form) {
  let text = form.querySelector("[data-text]");
  for (const area of form.querySelectorAll("[data-text]")) {
    area.addEventListener("focus", () => {
      text = area;
    });
  }
  for (const button of form.querySelectorAll("[data-insert]")) {
    button.hidden = false;
    if (button.nextElementSibling) button.nextElementSibling.hidden = true;
    button.addEventListener("click", () => {
      text.setRangeText(button.dataset.insert, text.selectionStart, text.selectionEnd, "end");
      text.focus();
      text.dispatchEvent(new Event("input", { bubbles: true }));
    });
  }
}

// ---- asking before it is stopped

function asker(link) {
  const dialog = byId(link.dataset.dialog);
  if (!dialog?.showModal) return; // the link leads to a page that asks
  link.setAttribute("role", "button");
  link.addEventListener("click", (event) => {
    event.preventDefault();
    dialog.showModal();
  });
  for (const button of dialog.querySelectorAll("[data-close]")) {
    button.addEventListener("click", () => dialog.close());
  }
}

// ---- progress

function follow(section, show, over) {
  const events = new EventSource(section.dataset.events);
  events.addEventListener("message", (event) => show(JSON.parse(event.data)));
  for (const name of ["over", "ended"]) {
    events.addEventListener(name, () => {
      events.close();
      over();
    });
  }
}

function followBroadcast(section) {
  const moving = ["approved", "running", "paused"];
  if (!moving.includes(section.dataset.state)) return;
  const note = () => {
    byId("progress-over").hidden = false;
  };
  follow(
    section,
    (news) => {
      byId("state").textContent = news.state_name;
      byId("progress-text").textContent = news.text;
      byId("progress-bar").max = Math.max(news.people, 1);
      byId("progress-bar").value = news.ended;
      byId("progress-rows").replaceChildren(...pairs(news.rows));
      if (news.state !== section.dataset.state) note(); // what may be done is different now
    },
    note,
  );
}

function followImport(section) {
  follow(
    section,
    (news) => {
      byId("import-text").textContent = news.text;
    },
    () => window.location.assign(section.dataset.page),
  );
}

// ---- what there is on this page

const form = byId("broadcast");
if (form) {
  counter(form);
  inserter(form);
}
document.querySelectorAll("[data-dialog]").forEach(asker);
if (byId("progress")) followBroadcast(byId("progress"));
if (byId("import")) followImport(byId("import"));

// The demo's telephone and desk: sends texts, follows what the telephones get, moves dossiers.
"use strict";

const byId = (id) => document.getElementById(id);

function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

async function post(path, body) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(await response.text());
  return response;
}

const time = (milliseconds) =>
  milliseconds === null ? "" : `${milliseconds < 10 ? milliseconds.toFixed(1) : Math.round(milliseconds)} ms`;
const size = (event) => `${event.segments} × ${event.alphabet}`;

function handset() {
  const talk = byId("talk");
  const number = byId("number");
  const text = byId("text");
  const events = [];
  const sent = new Map();

  function bubble(event) {
    const meta = [size(event)];
    if (event.kind === "reply" && event.milliseconds !== null) meta.push(time(event.milliseconds));
    const item = element("li", event.kind === "reply" ? "theirs" : "ours");
    const about = element("small", "meta", meta.join(" · "));
    item.append(element("span", "words", event.text), about);
    if (event.kind === "sent") sent.set(event.id, about);
    return item;
  }

  function show(event) {
    if (event.number !== number.value) return;
    if (event.kind === "taken" || event.kind === "refused") {
      const about = sent.get(event.about);
      if (about) about.append(event.kind === "taken" ? ` · ✓ ${time(event.milliseconds)}` : " · ✗");
      return;
    }
    talk.append(bubble(event));
    talk.scrollTop = talk.scrollHeight;
    if (event.kind === "reply") {
      byId("segments").textContent = event.segments;
      byId("alphabet").textContent = event.alphabet;
      byId("elapsed").textContent = time(event.milliseconds) || "–";
    }
  }

  function choose() {
    byId("own-number").textContent = `+${number.value}`;
    for (const id of ["segments", "alphabet", "elapsed"]) byId(id).textContent = "–";
    talk.replaceChildren();
    sent.clear();
    events.forEach(show);
  }

  const stream = new EventSource("/events");
  stream.onopen = () => { byId("line").textContent = "có sóng"; };
  stream.onerror = () => { byId("line").textContent = "mất sóng"; };
  stream.onmessage = (message) => {
    const event = JSON.parse(message.data);
    events.push(event);
    show(event);
  };

  byId("phone").addEventListener("submit", async (submitted) => {
    submitted.preventDefault();
    try {
      await post("/messages", { number: number.value, text: text.value });
      text.value = "";
    } catch (error) {
      byId("line").textContent = error.message;
    }
    text.focus();
  });
  text.addEventListener("keydown", (key) => {
    if (key.key === "Enter" && !key.shiftKey && !key.isComposing) {
      key.preventDefault();
      byId("phone").requestSubmit();
    }
  });
  byId("clear").addEventListener("click", () => { text.value = ""; text.focus(); });
  number.addEventListener("change", choose);
  const fill = (words) => { text.value = words; text.focus(); };
  for (const sample of document.querySelectorAll(".sample")) {
    sample.addEventListener("click", () => fill(sample.dataset.text));
  }
  choose();
  return fill;
}

function desk(fill) {
  const rows = byId("rows");
  const said = byId("desk-said");

  function codeCell(row) {
    const cell = element("th");
    cell.scope = "row";
    const copy = element("button", "code", row.code);
    copy.type = "button";
    copy.disabled = !fill;
    copy.title = fill ? "Soạn tin với mã này" : "";
    copy.addEventListener("click", () => fill(row.code));
    cell.append(copy);
    if (row.note) cell.append(element("small", "", row.note));
    return cell;
  }

  function nextCell(row) {
    const cell = element("td");
    if (!row.next) return cell;
    const button = element("button", "next", `→ ${row.next}`);
    button.type = "button";
    button.setAttribute("aria-label", `${row.code}: chuyển sang ${row.next}`);
    button.addEventListener("click", () => advance(row));
    cell.append(button);
    return cell;
  }

  function draw(list) {
    rows.replaceChildren(...list.map((row) => {
      const state = element("td", "", element("span", `state ${row.name}`, row.status ? `${row.status} ` : "", row.vi),
        element("small", "", row.en));
      const made = element("tr", row.deleted ? "deleted" : "", codeCell(row), state, element("td", "due", row.due_on || "–"), nextCell(row));
      made.dataset.code = row.code;
      return made;
    }));
  }

  async function advance(row) {
    try {
      draw(await (await post("/dossiers", { code: row.code })).json());
      said.textContent = `${row.code}: ${row.next}`;
      const moved = rows.querySelector(`[data-code="${CSS.escape(row.code)}"]`);
      moved.classList.add("moved");
      const again = moved.querySelector(".next");
      if (again) again.focus();
    } catch (error) {
      said.textContent = error.message;
    }
  }

  fetch("/dossiers").then((response) => response.json()).then(draw, (error) => { said.textContent = error.message; });
}

desk(byId("phone") ? handset() : null);

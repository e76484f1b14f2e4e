// What the demo's pages share, and the desk that moves dossiers.
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
const unasked = (event) => event.kind === "reply" && event.about === 0;

const BUZZ_SEEN = 4000; // milliseconds for which it shows, also to whoever wants no motion

// A notice came: `phone` shakes.
function buzz(phone) {
  phone.classList.remove("buzzing");
  void phone.offsetWidth; // so that a second notice starts the animation anew
  phone.classList.add("buzzing");
  clearTimeout(buzz.over);
  buzz.over = setTimeout(() => phone.classList.remove("buzzing"), BUZZ_SEEN);
  if (navigator.vibrate && navigator.userActivation?.hasBeenActive) navigator.vibrate([120, 60, 120]);
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

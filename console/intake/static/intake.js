// The desk's forms, quicker: procedures while one types, the papers, fee and promised day of the one that is chosen, a
// tick for all, Enter to the next field, Ctrl+Enter to register and print. The pages work without it: buttons ask the
// server.

const byId = (id) => document.getElementById(id);
const PAUSE_MS = 150;
const FEWEST = 2; // letters before anything is looked for

async function ask(form, fields, signal) {
  const response = await fetch(form.dataset.check, {
    method: "POST",
    headers: { Accept: "application/json" },
    body: new URLSearchParams(fields),
    signal,
  });
  return response.ok && !response.redirected ? response.json() : null;
}

// ---- a procedure by what is typed (an editable combobox with a list, ARIA 1.2)

function combobox(form, choose) {
  const input = byId("words");
  const list = byId("words-list");
  const status = byId("words-status");
  let found = [];
  let active = -1;
  let waiting = 0;
  let asked = null;

  input.setAttribute("role", "combobox");
  input.setAttribute("aria-autocomplete", "list");
  input.setAttribute("aria-controls", list.id);
  input.setAttribute("aria-expanded", "false");
  byId("find").hidden = true;

  function close() {
    list.hidden = true;
    active = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  function point(place) {
    active = (place + found.length) % found.length;
    [...list.children].forEach((option, number) => {
      option.setAttribute("aria-selected", String(number === active));
    });
    const option = list.children[active];
    input.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  }

  function show(news) {
    found = news;
    list.replaceChildren(
      ...found.map((each, number) => {
        const option = document.createElement("li");
        option.id = `option-${number}`;
        option.setAttribute("role", "option");
        option.setAttribute("aria-selected", "false");
        option.append(each.name);
        const code = document.createElement("span");
        code.className = "note";
        code.textContent = ` ${each.code}`;
        option.append(code);
        option.addEventListener("mousedown", (event) => {
          event.preventDefault();
          take(number);
        });
        return option;
      }),
    );
    status.textContent = found.length ? form.dataset.some.replace("{}", found.length) : form.dataset.none;
    if (!found.length) return close();
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    point(0);
  }

  async function look() {
    asked?.abort();
    asked = new AbortController();
    try {
      const news = await ask(form, { words: input.value }, asked.signal);
      if (news && document.activeElement === input) show(news);
    } catch (error) {
      if (error.name !== "AbortError") byId("find").hidden = false; // the button asks the server
    }
  }

  function take(number) {
    const chosen = found[number];
    input.value = chosen.name;
    byId("procedure").value = chosen.code;
    window.clearTimeout(waiting);
    asked?.abort();
    close();
    choose(chosen.code);
  }

  input.addEventListener("input", () => {
    byId("procedure").value = "";
    byId("choices")?.remove();
    window.clearTimeout(waiting);
    if (input.value.trim().length < FEWEST) return close();
    waiting = window.setTimeout(look, PAUSE_MS);
  });
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const open = !list.hidden;
    const moves = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key in moves) {
      event.preventDefault();
      if (open) point(active + moves[event.key]);
      else if (input.value.trim()) look();
    } else if (event.key === "Escape" && open) {
      event.preventDefault();
      close();
    } else if ((event.key === "Enter" || event.key === "Tab") && open && !event.shiftKey && !event.ctrlKey) {
      take(active);
      if (event.key === "Enter") {
        event.preventDefault();
        event.stopPropagation();
        onwards(form, input);
      }
    } else if (event.key === "Enter" && !event.ctrlKey && !byId("procedure").value) {
      event.preventDefault(); // nothing is chosen yet: look, and stay
      event.stopPropagation();
      look();
    }
  });
  input.addEventListener("blur", close);
}

// ---- what belongs to the procedure

function paperRow(template, place, paper) {
  const row = template.content.firstElementChild.cloneNode(true);
  for (const each of [row, ...row.querySelectorAll("*")]) {
    for (const { name, value } of [...each.attributes]) {
      if (value.includes("PLACE")) each.setAttribute(name, value.replaceAll("PLACE", place));
    }
  }
  const id = `paper_${place}_`;
  row.querySelector(`[name="${id}name"]`).value = paper.name;
  row.querySelector(`#${id}name`).textContent = paper.name;
  for (const count of ["originals", "certified", "copies"]) {
    row.querySelector(`[name="${id}${count}"]`).value = paper[count];
  }
  return row;
}

function listed(row) {
  return row.querySelector('[name$="_listed"]') !== null;
}

function renumber(row, place) {
  for (const each of [row, ...row.querySelectorAll("*")]) {
    for (const { name, value } of [...each.attributes]) {
      if (/paper_\d+_/.test(value)) each.setAttribute(name, value.replace(/paper_\d+_/g, `paper_${place}_`));
    }
  }
  return row;
}

function facts(form) {
  const body = form.querySelector("[data-papers]");
  const template = byId("paper-row");
  return async (code) => {
    const news = await ask(form, { procedure: code, source: byId("source").value }).catch(() => null);
    if (!news || byId("procedure").value !== code) return;
    byId("facts").replaceChildren(
      ...news.facts.flatMap(([name, value]) =>
        [["dt", name], ["dd", value]].map(([tag, words]) => {
          const made = document.createElement(tag);
          made.textContent = words;
          return made;
        }),
      ),
    );
    byId("facts-box").hidden = false;
    if (byId("listed_for").value === news.code) return; // the list stays as it was typed
    const own = [...body.children].filter((row) => !listed(row));
    const rows = news.papers.map((paper, place) => paperRow(template, place, paper));
    own.forEach((row, number) => renumber(row, rows.length + number));
    body.replaceChildren(...rows, ...own);
    byId("listed_for").value = news.code;
    byId("fee_dong").value = news.fee_dong;
    for (const box of form.querySelectorAll("[data-all]")) box.checked = false;
  };
}

// ---- ticks for all, keys

function ticks(area) {
  for (const box of area.querySelectorAll("[data-all]")) {
    box.addEventListener("change", () => {
      for (const row of box.closest("fieldset").querySelectorAll("tbody tr")) {
        const counts = [...row.querySelectorAll(".count")].some((each) => Number(each.value) > 0);
        const missing = row.querySelector('[data-tick="missing"]').checked;
        if (!box.checked || (counts && !missing)) row.querySelector(`[data-tick="${box.dataset.all}"]`).checked = box.checked;
      }
    });
  }
}

function onwards(form, from) {
  const stops = [...form.querySelectorAll("input:not([type=hidden]), select, textarea, button")].filter(
    (each) => each.tabIndex >= 0 && !each.disabled && each.getClientRects().length,
  );
  const next = stops[stops.indexOf(from) + 1];
  next?.focus();
  if (next?.select && next.type === "text") next.select();
}

function keys(form) {
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    if (event.ctrlKey) {
      event.preventDefault();
      byId("register-print").click();
    } else if (event.target.matches("input, select")) {
      event.preventDefault(); // never sends half a form
      onwards(form, event.target);
    }
  });
}

// ---- sent once

function once(form) {
  let sent = false;
  form.addEventListener("submit", (event) => {
    if (sent) event.preventDefault();
    sent = true;
  });
  window.addEventListener("pageshow", () => {
    sent = false;
  });
}

// ---- what there is on this page

const form = byId("intake");
if (form) {
  const choose = facts(form);
  combobox(form, choose);
  keys(form);
  byId("source").addEventListener("change", () => byId("procedure").value && choose(byId("procedure").value));
}
ticks(document);
document.querySelectorAll("form[method=post]").forEach(once);
for (const link of document.querySelectorAll('.error-summary a[href^="#"]')) {
  link.addEventListener("click", () => {
    const target = byId(link.hash.slice(1));
    const details = target?.closest("details");
    if (details) details.open = true;
    target?.focus();
  });
}

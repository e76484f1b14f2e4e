// Keeps the page of health as things are. Without it the page says how they were when it was opened.

const byId = (id) => document.getElementById(id);

function element(name, words, attributes = {}) {
  const made = document.createElement(name);
  made.textContent = words;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function cell(given, index) {
  if (index === 0) return element("th", given.words, { scope: "row" });
  if (given.value !== null) return element("td", given.words, { class: "num", "data-value": given.value });
  return element("td", given.words, given.mark ? { class: `mark-${given.mark}` } : {});
}

function row(cells) {
  const made = document.createElement("tr");
  made.append(...cells.map(cell));
  return made;
}

function showBlock(block) {
  const body = document.querySelector(`tbody[data-block="${block.name}"]`);
  const nothing = document.createElement("tr");
  nothing.append(element("td", block.nothing, { colspan: block.heads.length }));
  body.replaceChildren(...(block.rows.length ? block.rows.map(row) : [nothing]));
}

// Read out when it changes: so it is left alone while it is the same.
function showWrong(list, wrong) {
  const shown = wrong.length ? wrong : [{ words: list.dataset.nothing, mark: "good" }];
  const items = shown.map((each) => element("li", each.words, { class: `mark-${each.mark}` }));
  if (items.map((item) => item.outerHTML).join() !== [...list.children].map((item) => item.outerHTML).join()) {
    list.replaceChildren(...items);
  }
}

function show(view) {
  byId("at").textContent = view.at;
  byId("stream").textContent = "";
  showWrong(byId("wrong"), view.wrong);
  for (const tile of view.tiles) {
    document.querySelector(`[data-tile="${tile.name}"]`).textContent = tile.words;
    document.querySelector(`[data-note="${tile.name}"]`).textContent = tile.note;
  }
  view.blocks.forEach(showBlock);
  chart.draw();
}

// ---- the chart, drawn from the table beside it

const HEIGHT = 220;

class Chart {
  constructor(figure) {
    this.figure = figure;
    this.plot = null;
    figure.hidden = false;
    new ResizeObserver(() => this.plot?.setSize(this.size())).observe(figure);
  }

  size() {
    return { width: Math.max(this.figure.clientWidth, 240), height: HEIGHT };
  }

  // Hours of today, what came in, what left.
  data() {
    const rows = [...document.querySelectorAll('tbody[data-block="hours"] tr')];
    const column = (at) => rows.map((each) => Number(each.cells[at]?.dataset.value ?? 0));
    return [rows.map((_, hour) => hour), column(1), column(2)];
  }

  draw() {
    const data = this.data();
    if (this.plot) this.plot.setData(data);
    else this.plot = new uPlot(this.options(), data, this.figure);
  }

  options() {
    const { cameIn, left, hour } = this.figure.dataset;
    const colours = getComputedStyle(this.figure);
    const ink = colours.color;
    const line = (label, name, dash) => {
      const stroke = colours.getPropertyValue(name);
      return { label, stroke, width: 2, dash, points: { show: true, size: 6, fill: stroke } };
    };
    const axis = { stroke: ink, grid: { stroke: colours.getPropertyValue("--line"), width: 1 }, ticks: { show: false } };
    const clock = (value) => (value === null ? "" : `${String(value).padStart(2, "0")}:00`);
    return {
      ...this.size(),
      cursor: { drag: { x: false, y: false } },
      scales: { x: { time: false, range: [0, 23] }, y: { range: (_, __, most) => [0, Math.max(most * 1.1, 5)] } },
      axes: [
        { ...axis, values: (_, hours) => hours.map(clock), incrs: [1, 2, 3, 6] },
        { ...axis, size: 60, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5] },
      ],
      series: [
        { label: hour, value: (_, value) => clock(value) },
        line(cameIn, "--came-in", []),
        line(left, "--left", [6, 4]),
      ],
    };
  }
}

// ---- the stream

const chart = new Chart(byId("chart"));
chart.draw();
const { events, over, away } = byId("as-of").dataset;
const source = new EventSource(events);
const say = (words) => {
  byId("stream").textContent = ` ${words}`;
};
source.addEventListener("figures", (event) => show(JSON.parse(event.data)));
source.addEventListener("away", () => say(away));
source.addEventListener("error", () => say(away));
source.addEventListener("over", () => {
  source.close();
  say(over);
});

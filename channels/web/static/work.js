// Solves the proof of work that the page asks for, and hands the form in. Runs once by itself; after that whoever sits
// there decides. The solver is the widget's, loaded only when there is something to solve.
const form = document.querySelector("form[data-challenge]");
const leaving = () => "leaving" in document.documentElement.dataset; // a receipt's secret is on its way already

const show = (name) => {
  for (const line of form.querySelectorAll("[data-when]")) line.hidden = line.dataset.when !== name;
};

async function solve() {
  show("working");
  try {
    const { work } = await import(form.dataset.solver);
    const payload = await work(JSON.parse(form.dataset.challenge));
    if (!payload) throw new Error("no solution in time");
    form.elements.work.value = payload;
    form.submit();
  } catch {
    show("again"); // said on the page, with what else can be done
  }
}

if (form && !leaving()) {
  form.hidden = false;
  form.elements.again.addEventListener("click", solve);
  if ("again" in form.dataset) show("again");
  else solve();
}

// A small form: fields under each other, one button, and a line (of role status) that says what goes on.
import { el, fill } from "./dom.js";

export const statusLine = (id) =>
  el("div", { id, role: "status", "aria-live": "polite", "aria-atomic": "true", tabindex: "-1" });

/**
 * `fields`: of id, label and attributes. `hint`: about all of them. `submit(...values)` may wait; what it returns is
 * the trouble with the fields, said in `line` if it is a text. While it waits the button is only said to be disabled,
 * so that the focus stays where it is.
 */
export function form({ fields, hint, button, busy, line, submit }) {
  const press = el("button", { part: "button" }, button);
  const about = el("p", { id: `${line.id}-hint`, class: "hint" }, hint);
  const inputs = fields.map(([id, , attributes]) =>
    el("input", {
      id,
      part: "input",
      autocomplete: "off",
      spellcheck: "false",
      maxlength: 120,
      "aria-describedby": `${about.id} ${line.id}`,
      ...attributes,
    }),
  );
  const rows = inputs.map((input, at) =>
    el("p", {}, el("label", { for: input.id, part: "label" }, fields[at][1]), input),
  );
  const node = el("form", { part: "form", novalidate: "" }, ...rows, press, about);
  node.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (press.hasAttribute("aria-disabled")) return;
    press.setAttribute("aria-disabled", "true");
    fill(line, busy);
    const trouble = await submit(...inputs.map((input) => input.value.trim()));
    press.removeAttribute("aria-disabled");
    const wrong = trouble && (inputs.find((input) => input.value) || inputs[0]);
    for (const input of inputs) input.setAttribute("aria-invalid", input === wrong);
    if (!wrong) return;
    if (trouble !== true) fill(line, trouble);
    wrong.focus();
  });
  return node;
}

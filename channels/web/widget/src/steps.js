// What is loaded only when somebody may want it: to prove and see more, to follow, to do a proof of work.
import { el, fill } from "./dom.js";
import { form, statusLine } from "./form.js";
import { moment, trouble } from "./result.js";
import { wordsOfSteps } from "./steps-words.js";

export { work } from "./work.js";

const SUBSCRIPTIONS = "/api/v1/subscriptions";

/** The last four digits, or the receipt's secret, against more of the dossier. `desk` is the element. */
export function more(desk, code) {
  const { words } = desk;
  const { lastFour, secret, show } = wordsOfSteps[desk.language];
  const line = statusLine("proof");
  const fields = [
    ["four", lastFour, { inputmode: "numeric" }],
    ["secret", secret, { autocapitalize: "characters" }],
  ];
  async function submit(four, typed) {
    const given = four ? { last_four: four.replace(/\D/g, "").slice(-4) } : { secret: typed };
    const answer = await desk.question(code, line, given);
    if (!answer.ok) return trouble(answer, words);
    desk.show(answer);
  }
  return el("div", {}, form({ fields, button: show, busy: words.busy, line, submit }), line);
}

/** A number gets a code, the code comes back, the number follows. */
export function follow(desk, code) {
  const { words } = desk;
  const own = wordsOfSteps[desk.language];
  const line = statusLine("follow");
  const box = el("div");
  const step = (field, hint, button, submit) => form({ fields: [field], hint, button, busy: words.busy, line, submit });
  const number = step(["phone", own.mobile, { type: "tel" }], own.consent, own.send, ask);

  async function ask(phone) {
    const sent = await desk.post(SUBSCRIPTIONS, { code, phone });
    if (!sent.ok) return trouble(sent, words);
    const pin = ["pin", own.pin, { inputmode: "numeric", autocomplete: "one-time-code" }];
    fill(box, step(pin, "", own.confirm, (typed) => redeem(sent.token, typed)));
    fill(line, own.sent.join(phone) + moment(sent.expires_at));
    box.querySelector("input").focus();
  }

  async function redeem(token, pin) {
    const answer = await desk.post(`${SUBSCRIPTIONS}/${encodeURIComponent(token)}`, { pin });
    if (answer.slug === "code-spent") fill(box, number);
    if (!answer.ok) return trouble(answer, words);
    fill(box);
    fill(line, own.followed);
    line.focus();
    desk.tell("followed");
  }

  fill(box, number);
  return el("div", {}, box, line);
}

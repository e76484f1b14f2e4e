// What was answered, as elements: a dossier, or why there is none. Facts and words are the gateway's.
import { el } from "./dom.js";

// Whose turn it is, by the national number of the state, for the eye; the words say it as well.
const TONES = [, , , "ended", , "yours", "yours", "yours", "ended", "good", "good"];

const day = (iso) => iso.slice(0, 10).split("-").reverse().join("/");
export const moment = (iso) => `${iso.slice(11, 16)} ${day(iso)}`;
const time = (iso, text = day) => iso && el("time", { datetime: iso }, text(iso));
const strong = (words) => el("strong", {}, words);
const badge = (words, late) => el("strong", { class: `badge ${late}`, part: "badge" }, words);
const note = (words) => words && el("p", { class: "note", part: "note" }, words);

export const contact = ({ name, phone }) =>
  el(
    "p",
    { class: "agency" },
    strong(name),
    phone && el("a", { class: "call", href: `tel:${phone.replace(/[^\d+]/g, "")}`, part: "phone" }, phone),
  );

const facts = (...rows) =>
  el("dl", {}, ...rows.map(([name, value]) => value && el("div", {}, el("dt", {}, name), el("dd", {}, value))));

export const dossier = (answer, words) =>
  el(
    "div",
    { class: `result ${TONES[answer.status] || ""}`, part: "result" },
    note((answer.notice || "").text),
    note(answer.stale && words.stale),
    el("p", { class: "quiet" }, `${words.code} `, strong(answer.code)),
    el("p", {}, badge(answer.status_text, ""), " ", answer.overdue && badge(words.overdue, "late")),
    answer.sentence && el("p", {}, answer.sentence),
    el("p", { class: "todo", part: "todo" }, answer.what_to_do),
    facts(
      [words.missing, answer.missing],
      [words.fee, answer.fee],
      [words.received, time(answer.received_on)],
      [words.due, time(answer.due_on) || (answer.due_unknown && words.dueUnknown)],
      [words.finished, time(answer.finished_on)],
      [words.returned, time(answer.returned_on)],
      [words.procedure, answer.procedure_name],
      [words.unit, answer.unit],
    ),
    contact(answer.agency),
    el("p", { class: "quiet" }, `${words.asOf} `, time(answer.as_of, moment)),
  );

const why = (answer, words) => answer.title || words[answer.slug] || words.network;

export const problem = (answer, words) =>
  el(
    "div",
    { class: "result problem", part: "problem" },
    note((answer.notice || "").text),
    strong(why(answer, words)),
    el("p", {}, answer.detail),
    answer.agency && !answer.candidates && contact(answer.agency), // choices come first
  );

/** The same in a line below a field. */
export const trouble = (answer, words) => answer.detail || why(answer, words);

// What can be done after an answer: choose, try again, prove and see more, follow, open the page to print.
import { el, fill } from "./dom.js";
import { steps } from "./lazy.js";
import { contact } from "./result.js";

const PROVABLE = /needed/; // a proof of either kind
const SITES = /site|origin/; // trouble that the reader cannot mend
const MESSENGERS = /^https:\/\/(t\.me|zalo\.me)\//;
const PAGES = /^(https?:\/)?\//; // "javascript:" leads nowhere

const link = (href, words) => el("a", { href, target: "_blank", rel: "noopener", part: "link" }, `${words} ↗`);

function press(words, act) {
  const node = el("button", { type: "button", part: "button" }, words);
  node.addEventListener("click", act);
  return node;
}

/** A step that is loaded while its summary is already there to be opened. */
function step(name, desk, code) {
  const box = el("div", {}, desk.words.busy);
  steps().then(
    (module) => fill(box, module[name](desk, code)),
    () => fill(box, desk.words.network),
  );
  return el("details", { part: "details" }, el("summary", {}, desk.words[name]), box);
}

/** `desk` is the element; see there for what it offers. */
export function next(desk, answer, code) {
  const { words } = desk;
  const { ok, slug, title, wait, page, candidates = [], follow = {} } = answer;
  return [
    ...candidates.map(({ code, text, agency }) => press(`${text} ${agency}`, () => desk.choose(code))),
    candidates[0] && contact(answer.agency),
    !ok && (wait || !title) && press(words.retry + (wait ? ` (${wait} s)` : ""), () => desk.look(code)),
    (answer.tier === "public" || PROVABLE.test(slug)) && step("more", desk, code),
    follow.phone && step("follow", desk, code),
    ...(follow.links || []).map(({ name, url }) => MESSENGERS.test(url) && link(url, words.by + name[0].toUpperCase() + name.slice(1))),
    PAGES.test(page) && link(`${page[0] === "/" ? desk.api : ""}${page}?lang=${desk.language}`, words.print),
    !ok && (!title || SITES.test(slug)) && link(desk.at("/tra-cuu"), words.page),
  ];
}

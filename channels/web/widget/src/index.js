// A classic script, since only there a script knows its own tag: it defines the element, once, and in the one-tag form
// puts it behind itself. A browser that cannot shows the link that stands in the element.
import { el } from "./dom.js";
import { elementFrom } from "./element.js";
import { spoken, wordsOf } from "./words.js";

const NAME = "dossier-status";
const script = document.currentScript;
const origin = script ? new URL(script.src).origin : "";
const able = self.customElements && "adoptedStyleSheets" in document && el("link").relList.supports("modulepreload");

if (able && !customElements.get(NAME)) customElements.define(NAME, elementFrom(origin));

if (script && script.dataset.siteKey) {
  const { siteKey, lang = document.documentElement.lang, api = origin, code } = script.dataset;
  const href = `${api}/tra-cuu?site=${siteKey}`;
  const inside = el("a", { href }, wordsOf(spoken(lang)).page);
  script.after(el(NAME, { "site-key": siteKey, lang, api, code }, inside));
}

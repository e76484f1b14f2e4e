// <dossier-status>: a form for a dossier's code, what the gateway answers, and what can be done next.
import { ask } from "./ask.js";
import { el, fill } from "./dom.js";
import { form, statusLine } from "./form.js";
import { next } from "./next.js";
import { dossier, problem } from "./result.js";
import css from "./style.css";
import { spoken, wordsOf } from "./words.js";

const EXAMPLE = "H51.18-250701-0000";
const UNREADABLE = /-code$/; // or ambiguous

/** The class of the element; `origin` is where its script came from. */
export function elementFrom(origin) {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);

  return class extends HTMLElement {
    static get observedAttributes() {
      return ["lang", "code"];
    }

    connectedCallback() {
      if (this.shadowRoot) return; // it was only moved
      this.attachShadow({ mode: "open" }).adoptedStyleSheets = [sheet];
      this.draw(this.getAttribute("code"));
    }

    attributeChangedCallback(name, before, now) {
      if (!this.shadowRoot || before === now) return;
      const { asked } = this;
      this.draw(name === "code" ? now : this.input.value);
      if (name === "lang" && asked) this.look(asked);
    }

    get input() {
      return this.shadowRoot.getElementById("code");
    }

    get api() {
      return this.getAttribute("api") || origin;
    }

    /** An address of the gateway, for this site and in the language that is shown. */
    at(path) {
      return `${this.api}${path}?${new URLSearchParams({ site: this.getAttribute("site-key") || "", lang: this.language })}`;
    }

    draw(code) {
      const near = this.closest("[lang]");
      this.language = spoken(near ? near.lang : "");
      const words = (this.words = wordsOf(this.language));
      this.asked = "";
      this.line = statusLine("said");
      this.next = el("div", { class: "next" });
      const ask = form({
        fields: [["code", words.code, { value: code, autocapitalize: "characters", enterkeyhint: "search" }]],
        hint: words.hint + EXAMPLE,
        button: words.submit,
        busy: words.busy,
        line: this.line,
        submit: (typed) => this.look(typed),
      });
      const card = el("div", { lang: this.language, class: "card", part: "card" }, ask, this.line, this.next);
      // Some sites put every page into one form, which takes the enter key for its own.
      card.addEventListener("keypress", (event) => event.stopPropagation());
      fill(this.shadowRoot, card);
    }

    /** Ask and show; true: the code could not be read. */
    async look(code) {
      const { line, words } = this;
      this.asked = code;
      if (this.next.contains(this.shadowRoot.activeElement)) line.focus();
      fill(line, words.busy);
      fill(this.next);
      const answer = await this.question(code, line);
      if (line === this.line && code === this.asked) this.show(answer); // else something newer is shown
      return UNREADABLE.test(answer.slug);
    }

    /** About a dossier; that it takes a proof of work is shown in `line`. */
    question(code, line, body) {
      // Dots alone would lead to another address.
      const path = `/api/v1/dossiers/${encodeURIComponent(code.replace(/^\.+$/, " "))}`;
      return ask(this.at(path), body, () => line.append(el("progress", { "aria-label": this.words.busy })));
    }

    post(path, body) {
      return ask(this.at(path), body);
    }

    choose(code) {
      this.input.value = code;
      this.look(code);
    }

    /** The answer, and below it what can be done next; the focus stays in the widget. */
    show(answer) {
      const held = this.next.contains(this.shadowRoot.activeElement);
      fill(this.line, answer.ok ? dossier(answer, this.words) : problem(answer, this.words));
      fill(this.next, ...next(this, answer, this.asked));
      if (held) this.line.focus();
      this.tell(answer.ok ? (answer.stale ? "stale" : "found") : answer.slug);
    }

    /** The page around may count outcomes; it learns no code. */
    tell(outcome) {
      this.dispatchEvent(new CustomEvent("dossier-status", { bubbles: true, detail: { outcome } }));
    }
  };
}

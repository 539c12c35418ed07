// <search-box endpoint="...">: a search over an archive in any page, with nothing else to load than
// this file and those it names. Attributes: endpoint, api-key, placeholder, lang, filters, link, hotkey, limit.
// Events, both cancelable, so that a site may open what was chosen itself: search-box-open {hit, url},
// search-box-submit {query, url}.

import { ask, hitAddress, pageAddress } from "./search-box-answers.js";
import { Combobox } from "./combobox.js";
import { Pace } from "./pace.js";
import { elements, hitOption, suggestionOption } from "./search-box-parts.js";
import { STYLE } from "./search-box-style.js";
import { TEXTS } from "./search-box-texts.js";
import { watchComposition } from "./composing.js";

const PAUSE = 150; // milliseconds without a key before a question is sent
const SUGGESTIONS = 4;
const TOLD = 4; // refusals in a row, from which a visitor is told of them
const sheet = new CSSStyleSheet();
sheet.replaceSync(STYLE);

export class SearchBox extends HTMLElement {
  static observedAttributes = ["hotkey", "lang", "placeholder"];
  #ui;
  #asking = new AbortController();
  #timer = 0;
  #combobox;
  #pace = new Pace();
  #refused = 0;
  #isComposing = () => false;

  constructor() {
    super();
    this.attachShadow({ mode: "open" }).adoptedStyleSheets = [sheet];
  }

  connectedCallback() {
    this.#build();
    document.addEventListener("keydown", this.#onHotkey);
    document.addEventListener("pointerdown", this.#onOutside);
  }

  disconnectedCallback() {
    clearTimeout(this.#timer);
    this.#asking.abort();
    document.removeEventListener("keydown", this.#onHotkey);
    document.removeEventListener("pointerdown", this.#onOutside);
  }

  attributeChangedCallback() {
    if (this.#ui) this.#build();
  }

  get #texts() {
    const named = this.closest("[lang]")?.lang || navigator.language;
    return named.toLowerCase().startsWith("zh") ? TEXTS.zh : TEXTS.en;
  }

  get #modal() {
    return this.hasAttribute("hotkey");
  }

  focus() {
    this.#modal ? this.#open() : this.#ui.input.focus();
  }

  #build() {
    const t = this.#texts;
    const typed = this.#ui?.input.value ?? "";
    this.#ui = elements(t, this.getAttribute("placeholder") || t.placeholder, this.#modal);
    const { input, list, panel, root, trigger, dialog } = this.#ui;
    this.shadowRoot.replaceChildren(root);
    input.value = typed;
    this.#combobox = new Combobox(input, list, panel);
    this.#isComposing = watchComposition(input, () => this.#askSoon());
    input.addEventListener("input", (event) => {
      clearTimeout(this.#timer);
      if (!this.#isComposing() && !event.isComposing) this.#askSoon();
    });
    input.addEventListener("keydown", (event) => this.#onKey(event));
    input.addEventListener("focus", () => !this.#combobox.isEmpty && this.#combobox.expand(true));
    list.addEventListener("click", (event) => {
      const option = this.#combobox.at(event);
      if (option) this.#choose(option, event.metaKey || event.ctrlKey);
    });
    trigger?.addEventListener("click", () => this.#open());
    dialog?.addEventListener("cancel", (event) => this.#isComposing() && event.preventDefault());
    dialog?.addEventListener("close", () => this.#combobox.expand(false));
    dialog?.addEventListener("click", (event) => event.target === dialog && dialog.close());
  }

  #open() {
    const { dialog, input } = this.#ui;
    if (!dialog.open) dialog.showModal();
    input.focus();
    input.select();
    if (!this.#combobox.isEmpty) this.#combobox.expand(true);
  }

  #onHotkey = (event) => {
    if (!this.#modal || event.defaultPrevented || event.isComposing || event.keyCode === 229 || event.altKey) return;
    const command = (event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "k";
    const target = event.composedPath()[0];
    const typing = target.isContentEditable || target.matches?.("input, textarea, select");
    const slash = event.key === "/" && !event.ctrlKey && !event.metaKey && !typing;
    if (!command && !slash) return;
    event.preventDefault();
    this.#open();
  };

  #onOutside = (event) => {
    if (!event.composedPath().includes(this)) this.#combobox.expand(false);
  };

  #askSoon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), this.#pace.after(PAUSE));
  }

  /** Ask for suggestions and hits at once; each is shown as it comes, unless the text has changed meanwhile. */
  async #ask() {
    clearTimeout(this.#timer);
    if (this.#isComposing()) return;
    this.#asking.abort();
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    const query = this.#ui.input.value.trim();
    if (!query) return this.#show(query, [], null);
    this.#ui.root.toggleAttribute("data-asking", true);
    const limit = Number(this.getAttribute("limit")) || 6;
    let suggestions = [];
    let answer = null;
    // Where the service wants to be asked less, searches go first.
    const asked = this.#pace.careful ? Promise.resolve({}) : this.#get("suggest", { q: query, limit: SUGGESTIONS });
    const suggesting = asked.then(
      (found) => {
        suggestions = found.suggestions ?? [];
        if (!signal.aborted && answer) this.#show(query, suggestions, answer);
      },
      () => {}, // a box without suggestions is still a box
    );
    try {
      answer = await this.#get("search", { q: query, limit, typing: 1 });
      this.#refused = 0;
      if (!signal.aborted) this.#show(query, suggestions, answer);
      await suggesting;
    } catch (error) {
      if (!signal.aborted) this.#fail(error);
    } finally {
      if (!signal.aborted) this.#ui.root.removeAttribute("data-asking");
    }
  }

  #get(what, fields) {
    return ask(this, what, fields, this.#asking.signal, this.#pace);
  }

  #show(query, suggestions, answer) {
    const t = this.#texts;
    const { status, note } = this.#ui;
    const better = answer?.suggestion ? [{ text: answer.suggestion, better: true }] : [];
    const offered = suggestions.filter(({ text }) => text !== query && text !== answer?.suggestion);
    this.#combobox.set([
      ...[...better, ...offered].map((one) => {
        return { key: `s${one.text}`, query: one.text, element: suggestionOption(one, t) };
      }),
      ...(answer?.hits ?? []).map((hit) => {
        return { key: `h${hit.passage_id}`, hit, url: hitAddress(this, hit, query), element: hitOption(hit) };
      }),
    ]);
    const hits = answer?.hits.length ?? 0;
    note.textContent = !query ? "" : !hits ? t.none.replace("{query}", query) : answer.weak ? t.weak : "";
    status.textContent = !query ? "" : hits ? t.found.replace("{count}", hits) : note.textContent;
    this.#combobox.expand(Boolean(query));
  }

  #fail(error) {
    const t = this.#texts;
    if (error.passes && this.#pace.isShort) {
      this.#timer = setTimeout(() => this.#ask(), this.#pace.wait);
      this.#refused += 1;
      if (error.status === 429 && this.#refused < TOLD) return; // what was found before still stands there
    }
    this.#combobox.set([]);
    const other = error.status ? t.failed : t.offline;
    const said = { 401: t.key, 403: t.key, 429: t.busy, 503: t.busy }[error.status] ?? other;
    this.#ui.note.textContent = said;
    this.#ui.status.textContent = said;
    this.#combobox.expand(true);
  }

  #onKey(event) {
    if (this.#isComposing(event)) {
      // The key is the input method's; only what the browser itself would do with it is held back.
      if (event.key === "Enter") event.preventDefault();
      return;
    }
    const { input, dialog } = this.#ui;
    const list = this.#combobox;
    if (list.follow(event)) return;
    if (event.key === "Enter") {
      event.preventDefault();
      if (list.active) this.#choose(list.active, event.ctrlKey || event.metaKey);
      else this.#submit();
    } else if (event.key === "Escape" && (list.isOpen || this.#modal || input.value)) {
      event.preventDefault(); // first the list goes, then the dialog or the text
      if (list.isOpen) list.expand(false);
      else if (this.#modal) dialog.close();
      else input.value = "";
    } else if (event.key === "Tab" && !this.#modal) {
      list.expand(false);
    }
  }

  #choose({ query, hit, url }, apart) {
    if (hit) {
      this.#go("search-box-open", { hit, url }, url, apart);
    } else {
      this.#ui.input.value = query;
      this.#ask();
    }
  }

  #submit() {
    const query = this.#ui.input.value.trim();
    if (!query) return;
    const url = pageAddress(this, query);
    this.#go("search-box-submit", { query, url }, url);
  }

  /** Open an address, in a tab of its own where that was asked for, unless the site does it itself. */
  #go(name, detail, url, apart = false) {
    const event = new CustomEvent(name, { detail, bubbles: true, composed: true, cancelable: true });
    if (!this.dispatchEvent(event)) this.#ui.dialog?.close();
    else if (apart) open(url, "_blank", "noopener");
    else location.assign(url);
  }
}

if (!customElements.get("search-box")) customElements.define("search-box", SearchBox);

// What a half-typed query may become, in a list below the box: searches made before in this browser, then what the
// archive's headlines and phrases offer. Never asks for text an input method is still composing.

import { Combobox } from "./combobox.js";

const PAUSE = 120; // milliseconds without a key before the service is asked
const OFFERED = 6;
const REMEMBERED = 2;

export class Suggestions {
  #input;
  #combobox;
  #isComposing;
  #recent;
  #pace;
  #asking = new AbortController();
  #timer = 0;

  /**
   * @param {HTMLInputElement} input
   * @param {HTMLElement} list
   * @param {(event?: KeyboardEvent) => boolean} isComposing
   * @param {{like: (text: string) => string[]}} recent
   * @param {(text: string) => void} choose called with the suggestion somebody chose
   * @param {import("./pace.js").Pace} pace
   */
  constructor(input, list, isComposing, recent, choose, pace) {
    this.#pace = pace;
    this.#input = input;
    this.#isComposing = isComposing;
    this.#recent = recent;
    this.#combobox = new Combobox(input, list);
    const take = ({ text }) => {
      input.value = text;
      this.close();
      choose(text);
    };
    input.addEventListener("keydown", (event) => {
      if (isComposing(event) || this.#combobox.follow(event)) return;
      if (event.key === "Enter" && this.#combobox.active) {
        event.preventDefault();
        take(this.#combobox.active);
      } else if (event.key === "Escape" && this.#combobox.isOpen) {
        event.preventDefault(); // the text stays
        this.close();
      }
    });
    input.addEventListener("blur", () => this.close());
    list.addEventListener("click", (event) => {
      const option = this.#combobox.at(event);
      if (option) take(option);
    });
  }

  /** Ask once nothing was typed for a moment. */
  askSoon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), PAUSE);
  }

  /** Take the list away, and drop what was asked. */
  close() {
    clearTimeout(this.#timer);
    this.#asking.abort();
    this.#combobox.expand(false);
  }

  async #ask() {
    if (this.#isComposing()) return;
    this.#asking.abort();
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    const typed = this.#input.value.trim();
    const remembered = this.#recent.like(typed).slice(0, REMEMBERED);
    // Where the service wants to be asked less, searches go first.
    const offered = typed && !this.#pace.careful ? await this.#suggested(typed, signal) : [];
    if (signal.aborted || document.activeElement !== this.#input) return;
    const known = new Set([typed, ...remembered]);
    const options = [
      ...remembered.map((text) => ({ text, segments: [{ text }], before: true })),
      ...offered.filter(({ text }) => !known.has(text)),
    ].slice(0, OFFERED);
    this.#combobox.set(options.map((one) => ({ key: one.text, text: one.text, element: option(one) })));
    this.#combobox.expand(options.length > 0);
  }

  /** A box without suggestions is still a box, so that failures are no more than an empty list. */
  async #suggested(typed, signal) {
    try {
      const query = new URLSearchParams({ q: typed, limit: OFFERED });
      const response = await fetch(`/api/v1/suggest?${query}`, { signal });
      this.#pace.heed(response);
      return response.ok ? (await response.json()).suggestions : [];
    } catch {
      return [];
    }
  }
}

function option({ segments, before }) {
  const element = document.createElement("li");
  element.setAttribute("role", "option");
  if (before) element.className = "before";
  for (const { text, mark } of segments) {
    const part = document.createElement(mark ? "b" : "span");
    part.textContent = text;
    element.append(part);
  }
  return element;
}

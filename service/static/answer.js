// The part of the page that changes with each search. It is fetched as the same page the server renders without
// JavaScript, and its nodes are moved over: there is one rendering, and it escapes everything.

const PATIENCE = 150; // milliseconds before the wait is shown
const TOLD = 4; // refusals in a row, of which the last is shown

export class AnswerArea {
  #pending = null;
  #pace;

  /** @param {import("./pace.js").Pace} pace */
  constructor(pace) {
    this.#pace = pace;
  }

  /**
   * Fetch a search page and show it. Resolves to false when a later request has taken over.
   * @param {string} address
   * @param {{typing?: boolean}} how whether the query is still being typed; nobody is told then that there are too many
   */
  async show(address, { typing = false } = {}) {
    this.#pending?.abort();
    const pending = new AbortController();
    this.#pending = pending;
    const waiting = setTimeout(showWaiting, PATIENCE);
    try {
      const response = await this.#fetch(address, typing, pending.signal);
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      if (pending.signal.aborted) return false;
      if (!page.getElementById("answer")) throw new Error("not a search page");
      exchange(page);
    } catch (error) {
      if (pending.signal.aborted) return false;
      showUnreachable(address, error);
    } finally {
      clearTimeout(waiting);
      if (this.#pending === pending) hideWaiting();
    }
    return true;
  }

  /** The answer; where the service was asked too often, the one it gives a moment later. */
  async #fetch(address, typing, signal) {
    const asked = typing ? `${address}&typing=1` : address;
    for (let refused = 1; ; refused += 1) {
      const response = await fetch(asked, { headers: { Accept: "text/html" }, signal });
      const held = this.#pace.heed(response) && (typing || response.status === 429);
      if (!held || refused === TOLD || !this.#pace.isShort) return response;
      await new Promise((resolve) => setTimeout(resolve, this.#pace.wait));
      signal.throwIfAborted();
    }
  }
}

function exchange(page) {
  for (const id of ["answer", "kept"]) {
    document.getElementById(id).replaceChildren(...page.getElementById(id).childNodes);
  }
  document.body.dataset.view = page.body.dataset.view;
  document.title = page.title;
  document.getElementById("other-language").href = page.getElementById("other-language").getAttribute("href");
  document.getElementById("mode-name").textContent = page.getElementById("mode-name").textContent;
  const mode = page.querySelector('input[name="mode"]:checked').value;
  document.querySelector(`input[name="mode"][value="${mode}"]`).checked = true;
  announce(document.querySelector("#count, #answer h1:not(.unseen)")?.textContent ?? "");
}

function showUnreachable(address, error) {
  console.warn("search failed", error);
  const answer = document.getElementById("answer");
  answer.replaceChildren(document.getElementById("unreachable").content.cloneNode(true));
  answer.querySelector("a").href = address;
  document.body.dataset.view = "problem";
}

function showWaiting() {
  document.body.dataset.loading = "";
  document.getElementById("answer").setAttribute("aria-busy", "true");
  announce(document.getElementById("loading").content.textContent);
}

function hideWaiting() {
  delete document.body.dataset.loading;
  document.getElementById("answer").removeAttribute("aria-busy");
}

function announce(text) {
  document.getElementById("status").textContent = text;
}

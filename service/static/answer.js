// The part of the page that changes with each search. It is fetched as the same page the server renders without
// JavaScript, and its nodes are moved over: there is one rendering, and it escapes everything.

const PATIENCE = 150; // milliseconds before the wait is shown

export class AnswerArea {
  #pending = null;

  /** Fetch a search page and show it. Resolves to false when a later request has taken over. */
  async show(address) {
    this.#pending?.abort();
    const pending = new AbortController();
    this.#pending = pending;
    const waiting = setTimeout(showWaiting, PATIENCE);
    try {
      const response = await fetch(address, { headers: { Accept: "text/html" }, signal: pending.signal });
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

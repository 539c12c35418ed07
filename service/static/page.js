// The search page in place: searches while typing, keeps the address and the back button right, and never
// searches for text an input method is still composing. Without this file the form and the links do the same.

import "./copying.js";
import { AnswerArea } from "./answer.js";
import { watchComposition } from "./composing.js";
import { Pace } from "./pace.js";
import * as recent from "./recent.js";
import { Suggestions } from "./suggestions.js";

const PAUSE = 250; // milliseconds without a key before a search while typing
const form = document.getElementById("search");
const input = document.getElementById("q");
const pace = new Pace();
const area = new AnswerArea(pace);
let timer = 0;
let shown = location.pathname + location.search;

/** The address of the search in a form, without what is at its default. */
function address(of = form) {
  const fields = new URLSearchParams();
  for (const [name, value] of new FormData(of)) {
    const text = name === "q" ? value.trim() : value;
    if (text && !(name === "mode" && text === "hybrid")) fields.append(name, text);
  }
  return `/?${fields}`;
}

/**
 * Show a search and write it into the history. Text still being typed is a draft: it has one entry, which
 * changes while one types and becomes the entry of the search when it is submitted.
 * @param {string} to
 * @param {{draft?: boolean, typed?: boolean}} how whether this is a draft, and whether it continues one
 */
async function go(to, { draft = false, typed = false } = {}) {
  clearTimeout(timer);
  if (to === shown || (typed && history.state?.draft)) {
    history.replaceState({ draft }, "", to);
  } else {
    history.replaceState({ draft: false, scroll: scrollY }, "");
    history.pushState({ draft }, "", to);
  }
  shown = to;
  return show(to, { typing: draft });
}

async function show(to, how) {
  const unfolded = document.getElementById("filters")?.open;
  if (!(await area.show(to, how))) return false;
  // Who narrows a search goes on narrowing it.
  if (unfolded) document.getElementById("filters")?.setAttribute("open", "");
  recent.show();
  return true;
}

/** Show a search somebody asked for by a link or a form in the answer, from its beginning. */
async function follow(to) {
  suggestions.close();
  input.value = new URL(to, location.origin).searchParams.get("q") ?? "";
  recent.remember(input.value);
  if (await go(to)) {
    scrollTo({ top: 0, behavior: "instant" });
    document.getElementById("answer").focus({ preventScroll: true });
  }
}

function searchSoon() {
  suggestions.askSoon();
  clearTimeout(timer);
  timer = setTimeout(() => {
    const text = input.value.trim();
    // One Latin letter is not yet a query; one Chinese character may be.
    if (!isComposing() && (text.length > 1 || /\p{Script=Han}/u.test(text)) && address() !== shown) {
      go(address(), { draft: true, typed: true });
    }
  }, pace.after(PAUSE));
}

function submit() {
  suggestions.close();
  recent.remember(input.value);
  return go(address(), { typed: true });
}

const isComposing = watchComposition(input, searchSoon);
const suggestions = new Suggestions(input, document.getElementById("suggestions"), isComposing, recent, submit, pace);
recent.show();

input.addEventListener("input", (event) => {
  clearTimeout(timer);
  if (!isComposing() && !event.isComposing) searchSoon();
});

input.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && isComposing(event)) event.preventDefault();
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!isComposing() && input.value.trim()) submit();
});

form.addEventListener("change", (event) => {
  if (event.target.name === "mode" && input.value.trim() && !isComposing()) go(address());
});

document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-search]")) return;
  event.preventDefault();
  follow(address(event.target));
});

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a");
  if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if (link.matches("[data-search]")) {
    event.preventDefault();
    follow(link.pathname + link.search);
  } else if (link.closest(".hit")) {
    recent.remember(input.value); // typed, never submitted, and yet it was what somebody meant
  }
});

addEventListener("popstate", async (event) => {
  const to = location.pathname + location.search;
  if (to === shown) return; // only the fragment changed
  clearTimeout(timer);
  suggestions.close();
  shown = to;
  input.value = new URLSearchParams(location.search).get("q") ?? "";
  if (await show(to)) scrollTo({ top: event.state?.scroll ?? 0, behavior: "instant" });
});

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input:not([type=radio]), textarea, select");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    input.select();
  }
});

// The list of documents: found by title, paged, deleted after a question.

import { ask } from "./admin-api.js";
import { sure } from "./admin-sure.js";
import { watchComposition } from "./composing.js";

const PAGE = 20;
const PAUSE = 250; // milliseconds without a key before the list is asked anew
const body = document.getElementById("documents");
const range = document.getElementById("range");
const earlier = document.getElementById("earlier");
const later = document.getElementById("later");
const text = document.getElementById("find-text");
const template = document.getElementById("document-row");
let offset = 0;
let asking = new AbortController();

/** Show the documents; rejects as ask does. */
export async function list() {
  asking.abort();
  asking = new AbortController();
  const { signal } = asking;
  const query = new URLSearchParams({ limit: PAGE, offset, q: text.value.trim() });
  const page = await ask(`documents?${query}`, { signal });
  if (!page.documents.length && offset) {
    offset = Math.max(0, offset - PAGE); // the last one of a page was deleted
    return list();
  }
  body.replaceChildren(...(page.documents.length ? page.documents.map(row) : [nothing()]));
  const values = { first: page.documents.length ? offset + 1 : 0, last: offset + page.documents.length, total: page.total };
  range.textContent = range.dataset.shown.replace(/\{(\w+)\}/g, (all, name) => values[name].toLocaleString());
  earlier.disabled = !offset;
  later.disabled = offset + PAGE >= page.total;
}

/**
 * Watch the search, the buttons for pages and those that delete.
 * @param {(work: Promise<void>) => void} attempt tells how work ended, where it failed
 * @param {(document: {id: string, title: string}) => Promise<void>} remove
 */
export function watchList(attempt, remove) {
  let timer = 0;
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      offset = 0;
      attempt(list());
    }, PAUSE);
  };
  const isComposing = watchComposition(text, soon);
  text.addEventListener("input", (event) => {
    if (!isComposing() && !event.isComposing) soon();
  });
  document.getElementById("find").addEventListener("submit", (event) => event.preventDefault());
  earlier.addEventListener("click", () => turn(-PAGE, attempt));
  later.addEventListener("click", () => turn(PAGE, attempt));
  body.addEventListener("click", async (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const { id, title } = button.closest("tr").dataset;
    if (await sure("sure", title)) attempt(remove({ id, title }));
  });
}

function turn(by, attempt) {
  offset += by;
  attempt(list());
}

function row(found) {
  const made = template.content.firstElementChild.cloneNode(true);
  const title = found.title || found.id;
  Object.assign(made.dataset, { id: found.id, title });
  const link = made.querySelector("a");
  link.href = `/documents/${encodeURIComponent(found.id)}`;
  link.textContent = title;
  made.querySelector(".source").textContent = found.source;
  made.querySelector(".date").textContent = found.date.slice(0, 10);
  const button = made.querySelector("button");
  button.setAttribute("aria-label", button.dataset.named.replace("{title}", title));
  return made;
}

function nothing() {
  const made = document.createElement("tr");
  const cell = document.createElement("td");
  cell.colSpan = 4;
  cell.className = "soft";
  cell.textContent = body.dataset.none;
  made.append(cell);
  return made;
}

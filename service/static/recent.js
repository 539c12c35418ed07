// Searches made before, kept in this browser only and sent to nobody. Can be cleared and switched off.

const KEPT = "xunzhang.recent";
const MOST = 30;
const SHOWN = 6;

function load() {
  try {
    const found = JSON.parse(localStorage.getItem(KEPT) ?? "{}");
    const queries = Array.isArray(found.queries) ? found.queries.filter((one) => typeof one === "string") : [];
    return { on: found.on !== false, queries };
  } catch {
    return { on: true, queries: [] }; // unreadable, or the browser keeps nothing
  }
}

function save(state) {
  try {
    localStorage.setItem(KEPT, JSON.stringify(state));
  } catch {
    // A browser that keeps nothing searches all the same.
  }
}

/** Remember a search somebody meant, not one that was still being typed. */
export function remember(text) {
  const query = text.trim();
  const { on, queries } = load();
  if (!on || !query || query.length > 200) return;
  save({ on, queries: [query, ...queries.filter((one) => one !== query)].slice(0, MOST) });
}

/** Searches made before that hold the text, latest first; none for an empty text. */
export function like(text) {
  const wanted = text.toLowerCase();
  return wanted ? load().queries.filter((one) => one !== text && one.toLowerCase().includes(wanted)) : [];
}

/** Fill in the part of the start page that shows them, where that page is shown. */
export function show() {
  const section = document.getElementById("recent");
  if (!section) return;
  const { on, queries } = load();
  const list = section.querySelector("ul");
  list.replaceChildren(...queries.slice(0, SHOWN).map(link));
  const keep = document.getElementById("recent-keep");
  const clear = document.getElementById("recent-clear");
  keep.checked = on;
  clear.hidden = !queries.length;
  section.querySelector("h2").hidden = !queries.length;
  section.hidden &&= on && !queries.length; // until there is something to show or to choose
  keep.onchange = () => {
    save({ on: keep.checked, queries: keep.checked ? load().queries : [] });
    show();
  };
  clear.onclick = () => {
    save({ on: load().on, queries: [] });
    show();
    keep.focus();
  };
}

function link(query) {
  const item = document.createElement("li");
  const anchor = document.createElement("a");
  const lang = new URLSearchParams(location.search).get("lang");
  anchor.href = `/?${new URLSearchParams({ q: query, ...(lang && { lang }) })}`;
  anchor.dataset.search = "";
  anchor.textContent = query;
  item.append(anchor);
  return item;
}

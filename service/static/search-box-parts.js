// The elements of the box. Whatever comes from an archive becomes text nodes, never markup.

let made = 0;

function element(name, attributes = {}, ...children) {
  const one = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) one.setAttribute(key, value);
  one.append(...children);
  return one;
}

/** The box with nothing in it yet; in a dialog with a button before it, where it is modal. */
export function elements(t, placeholder, modal) {
  made += 1;
  const list = element("ul", { id: "list", role: "listbox", part: "list", "aria-label": t.results });
  const note = element("p", { class: "note", part: "note" });
  const status = element("p", { class: "unseen", role: "status" });
  const panel = element("div", { class: "panel", part: "panel", hidden: "" }, note, list);
  const input = element("input", {
    type: "search", part: "input", "aria-label": t.label, placeholder,
    autocomplete: "off", autocapitalize: "off", autocorrect: "off", spellcheck: "false",
    inputmode: "search", enterkeyhint: "search", name: `search-box-${made}`,
  });
  const box = element("div", { class: "box", part: "box" }, input, panel, status);
  if (!modal) return { root: box, input, list, note, status, panel };
  const shortcut = /Mac|iP/.test(navigator.platform) ? "⌘K" : "Ctrl K";
  const keys = element("kbd", { part: "keys", "aria-hidden": "true" }, shortcut);
  const trigger = element("button", { type: "button", part: "trigger", "aria-haspopup": "dialog" }, placeholder, keys);
  const dialog = element("dialog", { part: "dialog", "aria-label": t.label }, box);
  return { root: element("div", {}, trigger, dialog), input, list, note, status, panel, trigger, dialog };
}

function runs(segments) {
  return segments.map(({ text, mark, in_sentence: inside }) => {
    const kind = mark === "word" || mark === "match" ? "word" : inside || mark === "sentence" ? "sentence" : "";
    return kind ? element("mark", { class: inside ? `${kind} inside` : kind, part: kind }, text) : text;
  });
}

/** A suggestion or a better spelling, as an option. */
export function suggestionOption({ text, segments, better }, t) {
  const content = segments ? runs(segments) : [text];
  const before = better ? [element("span", { class: "meta" }, t.better)] : [];
  const attributes = { role: "option", class: "suggestion", part: "suggestion", "aria-selected": "false" };
  return element("li", attributes, ...before, ...content);
}

/** A hit as an option: its headline, the stretch around the sentence that answers, where it is from. */
export function hitOption(hit) {
  const { source, date } = hit.document;
  const headline = hit.title || hit.document.title || opening(hit.text);
  const title = element("span", { class: "title", part: "title" }, headline);
  const text = element("span", { class: "text", part: "text" }, ...runs(around(hit.segments)));
  const from = [source, date.slice(0, 10)].filter(Boolean).join(" · ");
  const meta = element("span", { class: "meta", part: "meta" }, from);
  return element("li", { role: "option", class: "hit", part: "hit", "aria-selected": "false" }, title, text, meta);
}

const LABEL = /^\u539f?\u6807\u9898[:\uff1a]\s*/; // what reprints put before the headline they repeat

/** The first words of a text, for want of a headline. */
function opening(text) {
  const line = text.trim().replace(/\s+/g, " ").replace(LABEL, "");
  return line.length > 24 ? `${line.slice(0, 24)}……` : line;
}

/** The segments from shortly before the sentence that answers, so that it is not below the fold of the option. */
function around(segments) {
  const first = segments.findIndex((segment) => segment.in_sentence);
  if (first <= 0) return segments;
  return [{ text: "…", mark: null, in_sentence: false }, ...segments.slice(first)];
}

// How the box looks. A site sets the variables on search-box; ::part() reaches box, input, panel, list, hit, title,
// text, meta, word, sentence, suggestion, note, trigger, keys and dialog.

export const STYLE = `
:host {
  color-scheme: light dark;
  --sb-ink: var(--search-box-ink, light-dark(#211f1b, #ece7dc));
  --sb-soft: var(--search-box-soft, light-dark(#655f55, #aaa294));
  --sb-ground: var(--search-box-ground, light-dark(#fff, #211f1c));
  --sb-line: var(--search-box-line, light-dark(#e3ddd0, #37332d));
  --sb-field: var(--search-box-field, light-dark(#8d8576, #857c6d));
  --sb-accent: var(--search-box-accent, light-dark(#a8281c, #f2917f));
  --sb-chosen: var(--search-box-chosen, light-dark(#f4f1e9, #2d2a26));
  --sb-sentence: var(--search-box-sentence, light-dark(#fff0b8, #41381a));
  --sb-radius: var(--search-box-radius, 10px);
  display: block;
  position: relative;
  font: var(--search-box-font, 16px/1.6 system-ui, "PingFang SC", "Noto Sans CJK SC", "Microsoft YaHei", sans-serif);
  color: var(--sb-ink);
  text-align: start;
}
:host([hidden]) { display: none; }
*, ::before, ::after { box-sizing: border-box; }
.box { position: relative; }
input {
  width: 100%; margin: 0; padding: .65em .9em; border: 1.5px solid var(--sb-field); border-radius: var(--sb-radius);
  background: var(--sb-ground); color: inherit; font: inherit; font-size: max(16px, 1em); appearance: none;
}
input::placeholder { color: var(--sb-soft); opacity: 1; }
input::-webkit-search-cancel-button { appearance: none; }
input:focus-visible, button:focus-visible {
  outline: 2px solid var(--sb-accent); outline-offset: -1px; border-color: var(--sb-accent);
}
.panel {
  position: absolute; z-index: var(--search-box-layer, 1000); inset: calc(100% + 6px) 0 auto;
  min-width: min(20em, 90vw); max-height: min(32em, 70vh); overflow: auto; overscroll-behavior: contain;
  border: 1px solid var(--sb-line);
  border-radius: var(--sb-radius); background: var(--sb-ground); box-shadow: 0 8px 32px rgb(0 0 0 / 14%);
}
.panel[hidden] { display: none; }
[data-asking] ul { opacity: .7; }
ul { margin: 0; padding: 4px; list-style: none; }
ul:empty { display: none; }
li { padding: .5em .75em; border-radius: calc(var(--sb-radius) - 4px); cursor: pointer; overflow-wrap: anywhere; }
li:hover { background: var(--sb-chosen); }
li[aria-selected=true] { background: var(--sb-chosen); box-shadow: inset 3px 0 var(--sb-accent); }
.title { display: block; color: inherit; font-weight: 600; line-height: 1.45; text-decoration: none; }
.text {
  display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 3; overflow: hidden; font-size: .9em;
  line-height: 1.7; text-spacing-trim: trim-start; line-break: strict;
}
.meta { display: block; color: var(--sb-soft); font-size: .8125em; }
.suggestion .meta { display: inline; margin-inline-end: .5em; }
mark { background: none; color: inherit; }
mark.sentence, mark.inside { background: var(--sb-sentence); }
mark.word { color: var(--sb-accent); font-weight: 600; }
.note { margin: 0; padding: .7em 1em; color: var(--sb-soft); font-size: .875em; }
.note:empty { display: none; }
.unseen {
  position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap;
}
button {
  display: flex; gap: 1em; justify-content: space-between; width: 100%; padding: .55em .9em;
  border: 1px solid var(--sb-field); border-radius: var(--sb-radius); background: var(--sb-ground);
  color: var(--sb-soft); font: inherit; cursor: pointer;
}
kbd { font: inherit; font-size: .8125em; }
dialog {
  width: min(42em, 100vw - 24px); max-width: none; max-height: none; margin: min(12vh, 6em) auto auto; padding: 0;
  border: 0;  border-radius: var(--sb-radius); background: none; color: inherit; overflow: visible;
}
dialog::backdrop { background: rgb(0 0 0 / 40%); }
@media (forced-colors: active) { li[aria-selected=true] { outline: 2px solid Highlight; } }
`;

// A text input with a list below it, after the ARIA pattern "combobox with list autocomplete and manual selection":
// the focus stays in the input, arrows choose, nothing is chosen until somebody does.

export class Combobox {
  #input;
  #list;
  #panel;
  #options = [];
  #active = -1;

  /**
   * @param {HTMLInputElement} input
   * @param {HTMLElement} list the element of role listbox
   * @param {HTMLElement} panel what appears and goes: the list, or what is around it
   */
  constructor(input, list, panel = list) {
    this.#input = input;
    this.#list = list;
    this.#panel = panel;
    const attributes = {
      role: "combobox",
      "aria-autocomplete": "list",
      "aria-controls": list.id,
      "aria-expanded": "false",
      "aria-haspopup": "listbox",
    };
    for (const [name, value] of Object.entries(attributes)) input.setAttribute(name, value);
    list.addEventListener("pointerdown", (event) => event.preventDefault()); // the focus stays in the input
  }

  get isOpen() {
    return !this.#panel.hidden;
  }

  get isEmpty() {
    return !this.#options.length;
  }

  /** The option chosen with the arrows, if any. */
  get active() {
    return this.#options[this.#active];
  }

  /** The option an event hit, if any. */
  at(event) {
    return this.#options.find(({ element }) => event.composedPath().includes(element));
  }

  /** Take other options, each {key, element, ...}; the one that was chosen stays so if its key is still there. */
  set(options) {
    const chosen = this.active?.key;
    this.#options = options;
    options.forEach(({ element }, place) => (element.id = `option-${place}`));
    this.#list.replaceChildren(...options.map(({ element }) => element));
    this.#activate(options.findIndex(({ key }) => key === chosen));
  }

  expand(shown) {
    this.#panel.hidden = !shown;
    this.#input.setAttribute("aria-expanded", String(shown && this.#options.length > 0));
    if (!shown) this.#activate(-1);
  }

  /** Follow an arrow key: past the last option comes the text itself. Returns whether it was one. */
  follow(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return false;
    event.preventDefault();
    if (!this.isOpen && !this.isEmpty) this.expand(true);
    const places = this.#options.length + 1;
    if (!event.altKey && places > 1) this.#activate(((this.#active + 1 + step + places) % places) - 1);
    return true;
  }

  #activate(place) {
    this.#active = place;
    this.#options.forEach(({ element }, other) => element.setAttribute("aria-selected", String(other === place)));
    const element = this.#options[place]?.element;
    if (element) {
      this.#input.setAttribute("aria-activedescendant", element.id);
      element.scrollIntoView({ block: "nearest" });
    } else {
      this.#input.removeAttribute("aria-activedescendant");
    }
  }
}

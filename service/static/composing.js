// Whether an input method is composing. While it is, keys belong to it: Enter chooses a word, it does not search.

/**
 * Watch an input for composition.
 * @param {HTMLInputElement} input
 * @param {() => void} settled called when a composition has ended and its text stands in the input
 * @returns {(event?: KeyboardEvent) => boolean} whether a composition is going on, or the key event is part of one
 */
export function watchComposition(input, settled) {
  let composing = false;
  input.addEventListener("compositionstart", () => {
    composing = true;
  });
  input.addEventListener("compositionend", () => {
    // Safari ends the composition before it sends the Enter that ended it; hold on until that has passed.
    setTimeout(() => {
      composing = false;
      settled();
    });
  });
  // 229 is what browsers send for keys an input method has taken, Safari also after compositionend.
  return (event) => composing || (event !== undefined && (event.isComposing || event.keyCode === 229));
}

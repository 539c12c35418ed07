// Questions before what cannot be undone.

/**
 * Ask one; the focus returns to where it was by itself.
 * @param {string} id of the dialog
 * @param {string} name of what it is about
 * @returns {Promise<boolean>} whether the answer is yes
 */
export function sure(id, name) {
  const dialog = document.getElementById(id);
  dialog.querySelector(".asked").textContent = name;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

// Buttons that copy the text beside them. They show only where this script runs.

const SAID_FOR = 2000; // milliseconds

document.documentElement.dataset.script = "";

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  const source = button.parentElement.querySelector(".copyable");
  if (await copied(source)) {
    const label = button.textContent;
    if (label === button.dataset.copied) return;
    button.textContent = button.dataset.copied;
    const status = document.getElementById("status");
    if (status) status.textContent = button.dataset.copied;
    setTimeout(() => (button.textContent = label), SAID_FOR);
  }
});

/** Copy an element's text. Where the page is not served securely the clipboard is closed, but a selection is not. */
async function copied(source) {
  try {
    await navigator.clipboard.writeText(source.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(source);
    return document.execCommand("copy");
  }
}

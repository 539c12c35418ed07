// The corner of those who keep the archive: its status, uploads, jobs, the list of documents. Asks for a key where the service
// wants one.

import { ask, key, Refused } from "./admin-api.js";
import { jobs, watchJobs } from "./admin-jobs.js";
import { list, watchList } from "./admin-list.js";
import { watchUploads } from "./admin-upload.js";

const desk = document.getElementById("desk");
const keyForm = document.getElementById("key-form");
const keyField = document.getElementById("key");
const said = document.getElementById("said");
const figures = document.getElementById("status-list");

let failure = false; // whether what is said is one

function say(text, failed = false) {
  said.textContent = text;
  said.hidden = !text;
  failure = failed;
}

function reason(error) {
  return error instanceof Refused ? error.message : said.dataset.offline;
}

/** Do something; where the service wants a key ask for it, and tell of any other failure. What nobody asked for leaves
    standing what was said of something done. */
async function attempt(work, { unasked = false } = {}) {
  if (failure || !unasked) say("");
  try {
    await work;
  } catch (error) {
    if (error.name === "AbortError") return; // something later has taken over
    if (error instanceof Refused && error.wantsKey) askForKey();
    else say(said.dataset.failed.replace("{reason}", reason(error)), true);
  }
}

async function status() {
  const found = await ask("status");
  for (const row of figures.children) {
    const value = found[row.dataset.field];
    const shown = row.dataset.field === "bytes" ? bytes(value) : value.toLocaleString();
    row.querySelector("dd").textContent = shown || figures.dataset.none;
  }
}

function bytes(count) {
  const unit = count < 1e6 ? "kilobyte" : count < 1e9 ? "megabyte" : "gigabyte";
  const size = count / { kilobyte: 1e3, megabyte: 1e6, gigabyte: 1e9 }[unit];
  return size.toLocaleString(undefined, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: 1 });
}

async function open() {
  await Promise.all([status(), jobs(), list()]);
  keyForm.hidden = true;
  desk.hidden = false;
  document.getElementById("key-forget").hidden = !key.get();
}

function askForKey() {
  document.getElementById("key-wrong").hidden = !key.get();
  key.forget();
  desk.hidden = true;
  keyForm.hidden = false;
  keyField.value = "";
  keyField.focus();
}

async function remove({ id, title }) {
  await ask(`documents/${encodeURIComponent(id)}`, { method: "DELETE" });
  say(document.getElementById("deleted").dataset.text.replace("{title}", title));
  await open();
}

keyForm.addEventListener("submit", (event) => {
  event.preventDefault();
  // What no header can carry is no key of ours either.
  key.set(keyField.value.replace(/[^\x21-\x7e]/g, "") || "-");
  attempt(open());
});

document.getElementById("key-forget").addEventListener("click", () => {
  key.forget();
  say("");
  attempt(open());
});

watchList(attempt, remove);
watchJobs(attempt, () => attempt(open(), { unasked: true }));
watchUploads(() => attempt(open(), { unasked: true }), reason);
attempt(open());

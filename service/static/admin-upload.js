// Uploads by drag and drop or by the file dialog: one file after the other, each with its progress and what became of it.
// Each is a job of the service, so that a large one outlives this page and any proxy's patience.

import { ask, Refused, send } from "./admin-api.js";
import { askToCancel, leaveOut } from "./admin-jobs.js";

const PAUSE = 300; // milliseconds between two looks at a job
const LONG_PAUSE = 2000; // after one that failed

const rows = document.getElementById("uploads");
const template = document.getElementById("upload-row");
let queue = Promise.resolve();

/**
 * Watch the drop area.
 * @param {() => void} changed called after each file that added or replaced something
 * @param {(error: Error) => string} reason what a failure is told as
 */
export function watchUploads(changed, reason) {
  const drop = document.getElementById("drop");
  const files = document.getElementById("files");
  files.addEventListener("change", () => {
    take(files.files, changed, reason);
    files.value = ""; // so that the same file can be chosen again
  });
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.dataset.over = "";
    });
  }
  drop.addEventListener("dragleave", (event) => {
    if (!drop.contains(event.relatedTarget)) delete drop.dataset.over;
  });
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    delete drop.dataset.over;
    take(event.dataTransfer.files, changed, reason);
  });
  // A file dropped beside the area would be opened by the browser, and the page be gone.
  for (const name of ["dragover", "drop"]) addEventListener(name, (event) => event.preventDefault());
  document.getElementById("upload").addEventListener("submit", (event) => event.preventDefault());
}

function take(files, changed, reason) {
  for (const file of files) {
    const row = template.content.firstElementChild.cloneNode(true);
    row.querySelector(".name").textContent = file.name;
    rows.prepend(row);
    queue = queue.then(() => upload(file, row, changed, reason));
  }
}

async function upload(file, row, changed, reason) {
  const bar = row.querySelector("progress");
  const state = row.querySelector(".state-text");
  const cancel = row.querySelector(".cancel");
  const { uploading, indexing, uploaded, failed, cancelling } = rows.dataset;
  state.textContent = uploading;
  try {
    const job = await send("documents?wait=0", form(file), (share) => (bar.value = share));
    leaveOut(job.id);
    cancel.setAttribute("aria-label", cancel.dataset.named.replace("{name}", file.name));
    cancel.addEventListener("click", () => askToCancel(job.id, file.name).catch((error) => tell(row, [reason(error)])));
    bar.removeAttribute("value"); // how long indexing takes nobody knows
    const step = (one) => {
      cancel.hidden = one.cancelling;
      state.textContent = one.cancelling ? cancelling : indexing.replace("{documents}", one.documents);
    };
    const { answer, documents } = await ended(job, step, (error) => tell(row, error ? [reason(error)] : []));
    if (!answer) {
      state.textContent = rows.dataset.cancelled.replace("{documents}", documents);
      row.dataset.state = "cancelled";
      changed();
      return;
    }
    const [found] = answer.files;
    state.textContent = uploaded.replace("{documents}", found.documents);
    row.dataset.state = found.problems.length ? "partly" : "done";
    tell(row, [...found.problems, ...found.notes]);
    changed();
  } catch (error) {
    state.textContent = failed;
    row.dataset.state = "failed";
    const errors = error.problem?.errors?.map(({ message }) => message) ?? [];
    tell(row, errors.length ? errors : [reason(error)]);
  } finally {
    bar.remove();
    cancel.remove();
  }
}

/**
 * Wait until a job has ended; the job, without an answer if it was cancelled, or why it failed as a rejection. A service
 * that cannot be reached is no end: the job goes on when it is back.
 */
async function ended(job, step, lost) {
  let pause = PAUSE;
  while (job.state === "queued" || job.state === "running") {
    step(job);
    await new Promise((resolve) => setTimeout(resolve, pause));
    try {
      job = await ask(`jobs/${job.id}`);
      if (pause !== PAUSE) lost(null);
      pause = PAUSE;
    } catch (error) {
      if (error instanceof Refused && error.status < 500 && error.status !== 429) throw error;
      lost(error);
      pause = LONG_PAUSE;
    }
  }
  if (job.state === "failed") throw new Refused(job.problem?.status, job.problem?.detail ?? "", job.problem ?? {});
  return job;
}

function form(file) {
  const fields = new FormData();
  fields.append("file", file);
  const source = document.getElementById("upload-source").value.trim();
  if (source) fields.append("source", source);
  for (const tag of document.getElementById("upload-tags").value.split(/[,\uff0c\u3001]/)) {
    if (tag.trim()) fields.append("tags", tag.trim());
  }
  return fields;
}

function tell(row, sentences) {
  row.querySelector("ul").replaceChildren(
    ...sentences.map((sentence) => {
      const item = document.createElement("li");
      item.textContent = sentence;
      return item;
    }),
  );
}

// The list of jobs: those of other pages, of programs and of earlier days, with how they stand and what came of them.
// What this page uploads has rows of its own.

import { ask } from "./admin-api.js";
import { sure } from "./admin-sure.js";

const SHOWN = 5; // at first, and with each step further back
const PAUSE = 1000; // milliseconds between two looks while one is unfinished
const PATIENCE = 10_000; // where a look failed

const section = document.getElementById("jobs");
const rows = section.querySelector("ul");
const more = document.getElementById("jobs-more");
const template = document.getElementById("job-row");
const own = new Set();
let shown = SHOWN;
let unfinished = 0;

const ended = ({ state }) => !["queued", "running"].includes(state);

/** Leave a job out, which has a row of its own. */
export function leaveOut(id) {
  own.add(id);
}

/** Cancel a job once somebody said that it is meant. */
export async function askToCancel(id, name) {
  if (await sure("sure-cancel", name)) await ask(`jobs/${id}`, { method: "DELETE" });
}

/** Show the jobs; rejects as ask does. */
export async function jobs() {
  const found = (await ask("jobs")).jobs.filter(({ id }) => !own.has(id));
  const before = new Map([...rows.children].map((row) => [row.dataset.id, row]));
  const now = found.slice(0, shown).map((job) => fill(before.get(job.id) ?? row(job), job));
  // What stays where it is keeps the focus.
  if (now.length !== rows.children.length || now.some((one, place) => one !== rows.children[place])) {
    rows.replaceChildren(...now);
  }
  more.hidden = found.length <= shown;
  section.hidden = !found.length;
  unfinished = found.filter((job) => !ended(job)).length;
}

/**
 * Look again while there are unfinished jobs, and watch the buttons.
 * @param {(work: Promise<void>) => void} attempt tells how work ended, where it failed
 * @param {() => void} changed called when a job has ended
 */
export function watchJobs(attempt, changed) {
  rows.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const { id, name } = button.closest("li").dataset;
    const done = button.matches(".cancel") ? askToCancel(id, name) : ask(`jobs/${id}`, { method: "DELETE" });
    attempt(done.then(jobs));
  });
  // Not a bubbling event; what came of a job is asked for when somebody wants to know.
  rows.addEventListener("toggle", ({ target }) => target.open && attempt(tell(target)), true);
  more.addEventListener("click", () => {
    shown += SHOWN;
    attempt(jobs());
  });
  const look = async () => {
    const busy = unfinished;
    let pause = PAUSE;
    if (busy && !document.hidden) {
      try {
        await jobs();
        if (unfinished < busy) changed();
      } catch {
        pause = PATIENCE; // nobody asked for it; what somebody does next tells of the trouble
      }
    }
    setTimeout(look, pause);
  };
  setTimeout(look, PAUSE);
}

function row(job) {
  const made = template.content.firstElementChild.cloneNode(true);
  const { files, lines } = rows.dataset;
  const [first = lines] = job.names;
  const name = job.files > 1 ? files.replace("{name}", first).replace("{count}", job.files) : first;
  Object.assign(made.dataset, { id: job.id, name });
  made.querySelector(".name").textContent = name;
  for (const button of made.querySelectorAll("button")) {
    button.setAttribute("aria-label", button.dataset.named.replace("{name}", name));
  }
  const time = made.querySelector("time");
  time.dateTime = job.created;
  time.textContent = new Date(job.created).toLocaleString(document.documentElement.lang);
  return made;
}

function fill(made, job) {
  const state = job.cancelling ? "cancelling" : job.state;
  const stored = job.documents ? rows.dataset.documents.replace("{documents}", job.documents.toLocaleString()) : "";
  made.dataset.state = job.state;
  made.querySelector(".state-text").textContent = [rows.dataset[state], stored].filter(Boolean).join(" \u00b7 ");
  const bar = made.querySelector("progress");
  bar.hidden = job.state !== "running";
  if (job.files > 1) Object.assign(bar, { max: job.files, value: job.files_done }); // else nobody knows how far it is
  made.querySelector(".cancel").hidden = ended(job) || job.cancelling;
  made.querySelector(".forget").hidden = !ended(job);
  made.querySelector("details").hidden = !["done", "failed"].includes(job.state);
  return made;
}

async function tell(details) {
  const { answer, problem } = await ask(`jobs/${details.closest("li").dataset.id}`);
  const counts = answer && rows.dataset.counts.replace(/\{(\w+)\}/g, (all, name) => answer[name].toLocaleString());
  const unread = answer?.documents.filter((one) => one.problem).map((one) => `${one.name} ${one.problem}`) ?? [];
  const errors = problem?.errors.map(({ field, message }) => `${field} ${message}`) ?? [];
  const sentences = [counts, problem && !errors.length ? problem.detail : "", ...unread, ...errors].filter(Boolean);
  details.querySelector("ul").replaceChildren(
    ...sentences.map((sentence) => Object.assign(document.createElement("li"), { textContent: sentence })),
  );
}

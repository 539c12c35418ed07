// How fast the service wants to be asked. A refusal because of too many questions (429) or too many askers (503) names a
// time; until then nothing is asked while one types, and for a while after that less.

const LONGEST = 10_000; // milliseconds that are worth waiting without a word
const CAREFUL = 60_000; // milliseconds to be slow after a refusal
const SLOWER = 4; // times the usual pause

export class Pace {
  #until = 0;

  /** Milliseconds to wait for, before anything is asked again. */
  get wait() {
    return Math.max(0, this.#until - performance.now());
  }

  /** Whether there was a refusal lately. */
  get careful() {
    return performance.now() < this.#until + CAREFUL && this.#until > 0;
  }

  /** Whether to wait for the end of a refusal instead of telling of it. */
  get isShort() {
    return this.wait <= LONGEST;
  }

  /** How long to wait after a key, where it is usually so long. */
  after(pause) {
    return Math.max(this.careful ? SLOWER * pause : pause, this.isShort ? this.wait : 0);
  }

  /** Take a look at an answer; returns whether it is a refusal that passes by itself. */
  heed({ status, headers }) {
    if (status !== 429 && status !== 503) return false;
    this.#until = performance.now() + 1000 * (Number(headers.get("Retry-After")) || 1);
    return true;
  }
}

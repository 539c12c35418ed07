// What the admin page asks the service. The key, where one is needed, lives in this tab's session and nowhere else.

const KEPT = "xunzhang.key";

/** The service refused: its status and its own sentence about it. */
export class Refused extends Error {
  constructor(status, sentence, problem = {}) {
    super(sentence);
    this.status = status;
    this.problem = problem;
  }

  get wantsKey() {
    return this.status === 401 || (this.status === 403 && this.problem.type?.endsWith("forbidden"));
  }
}

export const key = {
  get: () => sessionStorage.getItem(KEPT) ?? "",
  set: (secret) => sessionStorage.setItem(KEPT, secret),
  forget: () => sessionStorage.removeItem(KEPT),
};

function headers() {
  const lang = document.documentElement.lang.startsWith("zh") ? "zh" : "en";
  const secret = key.get();
  return { Accept: "application/json", "Accept-Language": lang, ...(secret && { Authorization: `Bearer ${secret}` }) };
}

/**
 * Ask the API.
 * @param {string} path below /api/v1/
 * @param {RequestInit} options
 * @returns {Promise<object|null>} the answer, null where there is none; rejects with Refused or, offline, TypeError
 */
export async function ask(path, options = {}) {
  const response = await fetch(`/api/v1/${path}`, { ...options, headers: headers() });
  const body = response.status === 204 ? null : await response.json().catch(() => null);
  if (!response.ok) throw new Refused(response.status, body?.detail ?? response.statusText, body ?? {});
  return body;
}

/**
 * Send a form, telling how much of it has gone. fetch cannot tell, so this is an XMLHttpRequest.
 * @param {string} path
 * @param {FormData} form
 * @param {(share: number) => void} progress called with 0..1
 * @returns {Promise<object>}
 */
export function send(path, form, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/api/v1/${path}`);
    for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
    request.responseType = "json";
    request.upload.addEventListener("progress", ({ loaded, total }) => progress(total ? loaded / total : 0));
    request.upload.addEventListener("load", () => progress(1));
    request.addEventListener("error", () => reject(new TypeError("offline")));
    request.addEventListener("load", () => {
      const { status, response, statusText } = request;
      if (status >= 200 && status < 300) resolve(response);
      else reject(new Refused(status, response?.detail ?? statusText, response ?? {}));
    });
    request.send(form);
  });
}

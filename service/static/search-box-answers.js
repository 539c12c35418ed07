// What the box asks the service, and where what it found is opened.

/** The service's address without a slash at the end: where this script came from, unless the box names another. */
function endpoint(box) {
  const named = box.getAttribute("endpoint");
  return new URL(named || new URL(import.meta.url).origin, document.baseURI).href.replace(/\/+$/, "");
}

/**
 * Ask the API.
 * @param {HTMLElement} box whose endpoint, api-key, lang and filters count
 * @param {"search" | "suggest"} what
 * @param {Object<string, string | number>} fields
 * @param {AbortSignal} signal
 * @param {import("./pace.js").Pace} pace
 * @returns {Promise<object>} the answer; rejects with {status, passes} where the service refused, which may pass by itself
 */
export async function ask(box, what, fields, signal, pace) {
  const query = new URLSearchParams(what === "search" ? (box.getAttribute("filters") ?? "") : "");
  for (const [name, value] of Object.entries(fields)) query.set(name, value);
  const key = box.getAttribute("api-key");
  const response = await fetch(`${endpoint(box)}/api/v1/${what}?${query}`, {
    signal,
    credentials: "omit",
    headers: key ? { Authorization: `Bearer ${key}` } : {},
  });
  const passes = pace.heed(response);
  if (!response.ok) throw Object.assign(new Error(response.statusText), { status: response.status, passes });
  return response.json();
}

/** Addresses from documents are opened only where they are http, https or relative. */
function safe(address, base) {
  try {
    const url = new URL(address, base);
    return ["http:", "https:"].includes(url.protocol) ? url.href : "";
  } catch {
    return "";
  }
}

/**
 * Where a hit is opened: by the box's link template, else at the document's own address, else in the service's
 * reading view, which marks what answers the query. A template may name {document_id}, {passage_id} and {passage}.
 */
export function hitAddress(box, hit, query) {
  const number = hit.position.passage;
  const values = { document_id: hit.document.id, passage_id: hit.passage_id, passage: number };
  const template = box.getAttribute("link");
  const filled = template?.replace(/\{(\w+)\}/g, (all, name) => encodeURIComponent(values[name] ?? all));
  const own = filled
    ? safe(filled, document.baseURI)
    : hit.document.url && safe(hit.document.url, `${endpoint(box)}/`);
  const asked = new URLSearchParams({ q: query, passage: number });
  return own || `${endpoint(box)}/documents/${encodeURIComponent(hit.document.id)}?${asked}#p${number}`;
}

/** The service's page of hits for a query, with the box's filters. */
export function pageAddress(box, query) {
  const fields = new URLSearchParams(box.getAttribute("filters") ?? "");
  fields.set("q", query);
  return `${endpoint(box)}/?${fields}`;
}

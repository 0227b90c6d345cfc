// Asks the proxy; every failure is an Error with a sentence for people.

/** No answer came: what was asked may have been done all the same. */
export class NoAnswer extends Error {}

/** @param {string} path @returns {Promise<any>} */
export const ask = (path) => call(path, {});

/**
 * Order something; with `dry_run` nothing is changed.
 * @param {string} collection @param {string} verb @param {object} wish
 * @returns {Promise<any>}
 */
export function order(collection, verb, wish) {
  return send(`/api/collections/${encodeURIComponent(collection)}/${encodeURIComponent(verb)}`, wish);
}

/** @param {string} path @param {object} body @returns {Promise<any>} */
export function send(path, body) {
  const headers = { "Content-Type": "application/json", "X-Crossfade-Console": "1" };
  return call(path, { method: "POST", headers, body: JSON.stringify(body) });
}

async function call(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new NoAnswer("the proxy does not answer");
  }
  const data = await answer.json().catch(() => null);
  if (answer.ok && data) return data;
  const error = new Error(data?.error?.message ?? `the proxy answered ${answer.status}`);
  throw Object.assign(error, { reason: data?.error?.reason ?? "" });
}

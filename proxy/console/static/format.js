// Numbers and times as people read them.

const COUNT = new Intl.NumberFormat("en");
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

/** @param {number|null|undefined} value */
export const count = (value) => (value === null || value === undefined ? "unknown" : COUNT.format(value));

/** @param {number} at milliseconds since 1970 */
export const clock = (at) => CLOCK.format(at);

/** Time, and the day where it is another than today. @param {number} at */
export function moment(at) {
  const isToday = new Date(at).toDateString() === new Date().toDateString();
  return isToday ? clock(at) : `${DAY.format(at)} ${clock(at)}`;
}

/** @param {number} milliseconds */
export function span(milliseconds) {
  const seconds = Math.max(0, milliseconds / 1000);
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 120) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} days`;
}

/** How long ago, seen from `now`. */
export function ago(at, now) {
  const seconds = Math.round((now - at) / 1000);
  if (seconds < 2) return "just now";
  return seconds < 10 ? `${seconds} s ago` : `${span(now - at)} ago`;
}

/** A share as percent; never rounded up to 100 %. */
export function percent(part, whole) {
  if (!whole) return "nothing yet";
  const share = (part / whole) * 100;
  if (part === whole) return "100 %";
  return `${Math.min(share, 99.99).toFixed(2)} %`;
}

/** How far the reconciler is behind; unknown where it has not said. @param {any} feed */
export const lagOf = (feed) => (feed?.counts.lag_ms === undefined ? "unknown" : span(feed.counts.lag_ms));

/** A key as people read it: its values, where it is an object of such. @param {string} key */
export function keyWords(key) {
  try {
    return Object.values(JSON.parse(key)).map((part) => (typeof part === "string" ? part : JSON.stringify(part))).join(" / ");
  } catch {
    return key;
  }
}

const STORES = { mongodb: "MongoDB", dynamodb: "DynamoDB" };

/** @param {string|null} store */
export const store = (store) => (store ? STORES[store] : "none");

/** NAMES_LIKE_THIS or like_this as words. */
export const words = (name) => name.toLowerCase().replaceAll("_", " ").replaceAll("-", " ");

// The panels of evidence: gate, mirror, match rate, divergences by kind, rehearsal, replicas.

import { h } from "./dom.js";
import { ago, count, lagOf, moment, percent, span, store, words } from "./format.js";

/** A panel with a heading. */
const panel = (key, title, ...children) => headed(key, title, h("h3", {}, title), children);

const headed = (key, title, ...children) =>
  h("section", { class: "panel", "data-key": key, "data-panel": key, "aria-label": title }, children);

/** Pairs of a name and a value. */
export const table = (rows) =>
  h("dl", { class: "facts" }, rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));

/** The checks of a gate, each with its evidence; what failed comes first. */
export const checkList = (checks) =>
  h("ul", { class: "checks" }, checks.toSorted((one, other) => Number(one.passed) - Number(other.passed)).map(checkLine));

const checkLine = (check) =>
  h(
    "li",
    { "data-passed": check.passed ? "yes" : "no" },
    h("span", { class: "mark", "aria-hidden": "true" }, check.passed ? "✓" : "✕"),
    h("span", { class: "check" }, words(check.name), h("span", { class: "unseen" }, check.passed ? " passed" : " failed")),
    h("span", { class: "found" }, check.evidence),
  );

/** How many of the checks failed, as a badge. */
export function tally(checks) {
  const failed = checks.filter((check) => !check.passed).length;
  const [tone, text] = failed ? ["alarm", `✕ ${failed} of ${checks.length} failed`] : ["safe", `✓ all ${checks.length} passed`];
  return h("span", { class: "badge", "data-tone": tone }, text);
}

/** @param {any} gate */
export function gatePanel({ target, checks, sendsCanary }) {
  const title = `Gate to ${target}`;
  return headed(
    `gate-${target}`,
    title,
    h("div", { class: "top" }, h("h3", {}, title), tally(checks)),
    checkList(checks),
    sendsCanary ? h("p", { class: "muted" }, "The canary, a document sent there and back, flies with the dry run.") : null,
  );
}

/** @param {any} collection @param {number} now */
export const factsPanel = (collection, now) =>
  panel(
    "facts",
    "Where it is",
    table([
      ["Stage", `${collection.stage} for ${span(now - collection.publishedAt)}`],
      ["Epoch", count(collection.epoch)],
      ["Primary", store(collection.primary)],
      ["Mirror", store(collection.mirror)],
      ["MongoDB", `${collection.declaration.mongo}, ${documents(collection.documents.mongodb)}`],
      ["DynamoDB", `${collection.declaration.table}, ${documents(collection.documents.dynamodb)}`],
      ["Key", collection.declaration.key.join(", ")],
    ]),
  );

const documents = (number) => (number === null || number === undefined ? "not counted" : `about ${count(number)} documents`);

const BREAKERS = { closed: "answers", open: "does not answer (breaker open)", half_open: "is being tried again" };

/** @param {any} collection @param {number} now */
export function mirrorPanel(collection, now) {
  const { health, feed, mirror } = collection;
  if (!mirror) return panel("mirror", "Mirror and feed", h("p", { class: "muted" }, "There is no mirror in this stage."));
  return panel(
    "mirror",
    "Mirror and feed",
    table([
      ["Mirror", `${store(mirror)} ${BREAKERS[health.breaker] ?? health.breaker}`],
      ["Written inline", count(health.applied)],
      ["Left to the reconciler", count(health.deferred)],
      ["Last failure", health.lastErrorAt ? `${health.lastError} (${ago(health.lastErrorAt, now)})` : "none"],
      ["Feed", feed ? `${feed.state}${feed.message ? `: ${feed.message}` : ""}` : "nothing reported"],
      ["Feed lag", feed ? `${lagOf(feed)}, ${count(feed.counts.lag_documents ?? 0)} documents` : "unknown"],
      ["Feed reported", feed ? ago(feed.updatedAt, now) : "never"],
    ]),
    h("p", { class: "muted" }, "Mirror writes are those of this replica."),
  );
}

/** @param {any} collection */
export function matchPanel(collection) {
  const { judged, matched, outcomes } = collection.comparisons;
  const rows = Object.entries(outcomes).sort().map(([kind, number]) => [words(kind), count(number)]);
  return panel(
    "match",
    "Match rate of shadow reads",
    h("p", { class: "figure" }, percent(matched, judged), h("small", {}, ` ${judged ? `of ${count(judged)} ` : ""}compared by this replica`)),
    h("div", { id: "chart", class: "chart", "data-island": true, "data-key": collection.name }),
    rows.length ? h("details", {}, h("summary", {}, "Outcomes since this replica started"), table(rows)) : null,
  );
}

/** @param {any} collection */
export function kindsPanel(collection) {
  const kinds = Object.entries(collection.divergences).filter(([, number]) => number);
  const body = kinds.length
    ? table(kinds.map(([kind, number]) => [words(kind), count(number)]))
    : h("p", {}, h("span", { class: "badge", "data-tone": "safe" }, "✓ none"));
  return panel("kinds", "Open divergences by kind", body, h("p", {}, h("a", { href: "#divergences", "data-jump": "divergences" }, "Look at them")));
}

/** @param {any} collection */
export function rehearsalPanel(collection) {
  const last = collection.lastRehearsal;
  if (!last) return null;
  const { rehearsal, outcomes, divergences } = last;
  const diverged = Object.values(divergences).reduce((sum, number) => sum + number, 0);
  return panel(
    "rehearsed",
    "Last rehearsal",
    table([
      ["Began", moment(rehearsal.started_at)],
      ["By", rehearsal.actor],
      ["Hold there", span(rehearsal.hold_there_ms)],
      ["Hold back", span(rehearsal.hold_back_ms)],
      ["Shadow reads that matched", count(outcomes.MATCH ?? 0)],
      ["Divergences", count(diverged)],
    ]),
  );
}

/** @param {any} picture @param {any} collection */
export const replicasPanel = (picture, collection) =>
  panel(
    "replicas",
    "Replicas and their epochs",
    h(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": "Replicas" },
      h(
        "table",
        {},
        h("thead", {}, h("tr", {}, ["Replica", "Address", "State", "Acts on"].map((name) => h("th", { scope: "col" }, name)))),
        h("tbody", {}, picture.replicas.map((one) => replicaRow(one, picture.replica, collection))),
      ),
    ),
  );

function replicaRow(replica, own, collection) {
  const epoch = replica.epochs[collection.name];
  return h(
    "tr",
    { "data-key": replica.id },
    h("th", { scope: "row" }, replica.id, replica.id === own ? h("small", {}, " (this one)") : null),
    h("td", {}, h("code", {}, replica.address)),
    h("td", { "data-tone": replica.isAlive ? "safe" : "alarm" }, replica.isAlive ? "✓ alive" : `✕ silent for ${span(replica.age * 1000)}`),
    h("td", { "data-tone": epoch ? "safe" : "wait" }, epoch ? `✓ epoch ${epoch}` : "! an older epoch", replica.holds.includes(collection.name) ? ", holding" : null),
  );
}

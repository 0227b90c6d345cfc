// Everything about one collection: where it is, what may be ordered, and the evidence.

import { available, JOB_ACTIONS } from "./actions.js";
import { h } from "./dom.js";
import { ago, count, moment, percent, span, store, words } from "./format.js";
import { jobPanel } from "./jobs.js";
import { badge } from "./verdicts.js";

/** @param {any} picture @param {any} collection */
export const evidence = (picture, collection) => [
  h(
    "div",
    { class: "head", "data-key": `head-${collection.name}` },
    h("h2", { id: "name" }, collection.name),
    badge(collection.verdict),
    h("p", { class: "sentence" }, collection.verdict.sentence),
  ),
  track(picture.stages, collection.stage),
  underWay(collection, picture.at),
  h("div", { class: "orders", role: "group", "aria-label": "Orders" }, available(collection).map(button)),
  h(
    "div",
    { class: "panels" },
    collection.gates.map((gate) => gatePanel(gate)),
    facts(collection, picture.at),
    jobPanel(collection, JOB_ACTIONS, button),
    mirrorPanel(collection, picture.at),
    matchPanel(collection),
    kindsPanel(collection),
    rehearsalPanel(collection),
    replicasPanel(picture, collection),
  ),
];

/** @param {{verb: string, label: string, isMain?: boolean}} action */
const button = (action) =>
  h("button", { type: "button", "data-verb": action.verb, class: action.isMain ? "main" : null }, `${action.label}…`);

const track = (stages, present) =>
  h(
    "ol",
    { class: "track", "aria-label": "Stages" },
    stages.map((stage) => h("li", { "aria-current": stage === present ? "step" : null }, stage)),
  );

function underWay(collection, now) {
  const { change, rehearsal } = collection;
  if (change) {
    const waits = change.holdsWrites ? "; reads and writes wait" : "";
    return h(
      "p",
      { class: "underway", "data-key": "change" },
      `${change.actor} is moving it to ${change.target} for ${span(now - change.startedAt)}: ${change.step}${waits}. `,
      `Reason: ${change.reason || "none"}`,
    );
  }
  if (rehearsal && !rehearsal.returned_at) {
    const text = `A rehearsal by ${rehearsal.actor} goes back in ${span(rehearsal.return_at - now)}.`;
    return h("p", { class: "underway", "data-key": "rehearsal" }, text);
  }
  return null;
}

/** The checks of a gate, each with its evidence; what failed comes first. */
export const checkList = (checks) =>
  h(
    "ul",
    { class: "checks" },
    checks.toSorted((one, other) => Number(one.passed) - Number(other.passed)).map((check) =>
      h(
        "li",
        { "data-passed": check.passed ? "yes" : "no" },
        h("span", { class: "mark", "aria-hidden": "true" }, check.passed ? "✓" : "✕"),
        h("span", { class: "result" }, check.passed ? "passed" : "failed"),
        h("span", { class: "check" }, words(check.name)),
        h("span", { class: "found" }, check.evidence),
      ),
    ),
  );

const gatePanel = (gate) =>
  panel(
    `gate-${gate.target}`,
    `Gate to ${gate.target}`,
    h("p", { class: "gate" }, gate.verdict),
    checkList(gate.checks),
    gate.sendsCanary ? h("p", { class: "muted" }, "The canary, a write there and back, is sent by the dry run.") : null,
  );

const facts = (collection, now) =>
  panel(
    "facts",
    "Where it is",
    table([
      ["Stage", `${collection.stage} for ${span(now - collection.publishedAt)}`],
      ["Epoch", count(collection.epoch)],
      ["Primary", store(collection.primary)],
      ["Mirror", store(collection.mirror)],
      ["In MongoDB", `${collection.declaration.mongo}, about ${count(collection.documents.mongodb)} documents`],
      ["In DynamoDB", `${collection.declaration.table}, about ${count(collection.documents.dynamodb)} documents`],
      ["Key", collection.declaration.key.join(", ")],
    ]),
  );

const BREAKERS = { closed: "answers", open: "does not answer (breaker open)", half_open: "is being tried again" };

function mirrorPanel(collection, now) {
  const { health, feed, mirror } = collection;
  if (!mirror) return panel("mirror", "Mirror", h("p", { class: "muted" }, "No mirror in this stage."));
  return panel(
    "mirror",
    "Mirror and feed",
    table([
      ["Mirror", `${store(mirror)} ${BREAKERS[health.breaker] ?? health.breaker}`],
      ["Written inline", count(health.applied)],
      ["Left to the reconciler", count(health.deferred)],
      ["Last failure", health.lastErrorAt ? `${health.lastError} (${ago(health.lastErrorAt, now)})` : "none"],
      ["Feed", feed ? `${feed.state}${feed.message ? `: ${feed.message}` : ""}` : "nothing reported"],
      ["Feed lag", lag(feed)],
      ["Feed reported", feed ? ago(feed.updatedAt, now) : "never"],
    ]),
    h("p", { class: "muted" }, "Mirror writes are counted by this replica."),
  );
}

function lag(feed) {
  if (!feed || feed.counts.lag_ms === undefined) return "unknown";
  return `${span(feed.counts.lag_ms)}, ${count(feed.counts.lag_documents ?? 0)} documents`;
}

function matchPanel(collection) {
  const { judged, matched, outcomes } = collection.comparisons;
  const rows = Object.entries(outcomes).sort().map(([kind, number]) => [words(kind), count(number)]);
  return panel(
    "match",
    "Match rate of shadow reads",
    h("p", { class: "figure" }, percent(matched, judged), h("small", {}, ` of ${count(judged)} compared by this replica`)),
    h("div", { id: "chart", class: "chart", "data-island": true, "data-key": collection.name }),
    h("details", {}, h("summary", {}, "Outcomes since this replica started"), table(rows)),
  );
}

function kindsPanel(collection) {
  const kinds = Object.entries(collection.divergences).filter(([, number]) => number);
  const body = kinds.length
    ? table(kinds.map(([kind, number]) => [words(kind), count(number)]))
    : h("p", {}, "None is open.");
  return panel("kinds", "Open divergences by kind", body, h("p", {}, h("a", { href: "#divergences", "data-jump": "divergences" }, "Look at them")));
}

function rehearsalPanel(collection) {
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

const replicasPanel = (picture, collection) =>
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
  const acts = epoch ? `✓ epoch ${epoch}` : "! an older epoch";
  return h(
    "tr",
    { "data-key": replica.id },
    h("th", { scope: "row" }, replica.id, replica.id === own ? " (this one)" : null),
    h("td", {}, replica.address),
    h("td", {}, replica.isAlive ? "✓ alive" : `✕ silent for ${span(replica.age * 1000)}`),
    h("td", {}, acts, replica.holds.includes(collection.name) ? ", holding" : null),
  );
}

/** A panel with a heading. */
export const panel = (key, title, ...children) =>
  h("section", { class: "panel", "data-key": key, "data-panel": key, "aria-label": title }, h("h3", {}, title), children);

/** Pairs of a name and a value. */
export const table = (rows) =>
  h("dl", { class: "facts" }, rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));

// The board: one row for each collection, with its verdict and what that rests on, and the answer above them.

import { h } from "./dom.js";
import { ago, count, lagOf, percent, store } from "./format.js";
import { meter } from "./jobs.js";

export const ICONS = { safe: "✓", wait: "!", alarm: "✕", busy: "↻", done: "■" };

/** @param {{tone: string, word: string}} verdict */
export const badge = ({ tone, word }) =>
  h("span", { class: "badge", "data-tone": tone }, h("span", { "aria-hidden": "true" }, ICONS[tone]), ` ${word}`);

/** The answer to the page's question, in one sentence. @param {any[]} collections */
export function answer(collections) {
  const alarms = collections.filter((one) => one.verdict.tone === "alarm");
  if (alarms.length) return line("alarm", `Stop: look at ${names(alarms)} first.`);
  const waiting = collections.filter((one) => one.stage === "MONGO_PRIMARY");
  const safe = waiting.filter((one) => one.verdict.tone === "safe");
  if (!waiting.length) return line("done", "No collection is waiting to be cut over.");
  if (!safe.length) return line("wait", `Not yet: ${names(waiting)}.`);
  const rest = waiting.filter((one) => one.verdict.tone !== "safe");
  return line("safe", `Yes: ${names(safe)}.${rest.length ? ` Not yet: ${names(rest)}.` : ""}`);
}

const line = (tone, text) => h("span", { "data-tone": tone }, text);
const names = (collections) => collections.map((one) => one.name).join(", ");

const COLUMNS = ["Verdict", "Collection", "Stage", "Primary", "Mirror", "Backfill", "Verify", "Match rate", "Divergences"];

/** @param {any} picture @param {string} selected */
export const board = (picture, selected) =>
  h(
    "table",
    { class: "board" },
    h("caption", { class: "unseen" }, "All collections"),
    h("thead", {}, h("tr", {}, COLUMNS.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, picture.collections.map((one) => row(one, one.name === selected, picture.at))),
  );

function row(collection, isSelected, now) {
  const { verdict, jobs } = collection;
  return h(
    "tr",
    { "data-key": collection.name, "data-row": collection.name, "data-selected": isSelected },
    h("td", {}, badge(verdict)),
    h("th", { scope: "row" }, link(collection, isSelected)),
    cell("Stage", collection.stage, `epoch ${collection.epoch}`),
    cell("Primary", store(collection.primary)),
    mirror(collection),
    job("Backfill", jobs.backfill, collection, now),
    job("Verify", jobs.verify, collection, now),
    matches(collection),
    divergences(collection),
  );
}

const link = (collection, isSelected) =>
  h(
    "a",
    { href: `#/${encodeURIComponent(collection.name)}`, "aria-current": isSelected ? "true" : null },
    h("strong", {}, collection.name),
    h("span", { class: "sentence" }, collection.verdict.sentence),
  );

const cell = (label, main, detail, tone) =>
  h("td", { "data-label": label }, h("span", { class: "main", "data-tone": tone }, main), detail ? h("small", {}, detail) : null);

const nothing = (label) => cell(label, h("span", { class: "muted" }, "–"));

function mirror({ mirror, health, feed }) {
  if (!mirror) return nothing("Mirror");
  const isWell = health.breaker === "closed" && feed?.state !== "failed";
  const lag = feed?.state === "failed" ? "feed failed" : `lag ${lagOf(feed)}`;
  return cell("Mirror", `${store(mirror)} ${isWell ? "✓" : "✕"}`, lag, isWell ? null : "alarm");
}

function job(label, job, collection, now) {
  if (!job) return nothing(label);
  if (job.state === "running") return h("td", { "data-label": label }, meter(label, job));
  if (job.state === "failed") return cell(label, "✕ failed", ago(job.updatedAt, now), "alarm");
  if (job.state !== "finished") return cell(label, `! ${job.state}`, ago(job.updatedAt, now), "wait");
  return job.isClean
    ? cell(label, "✓ clean", ago(job.updatedAt, now))
    : cell(label, "✕ not clean", ago(job.updatedAt, now), "alarm");
}

function matches({ mirror, comparisons: { judged, matched } }) {
  if (!judged) return mirror ? cell("Match rate", h("span", { class: "muted" }, "none compared")) : nothing("Match rate");
  return cell("Match rate", percent(matched, judged), `of ${count(judged)}`);
}

function divergences({ divergences }) {
  const open = Object.values(divergences).reduce((sum, number) => sum + number, 0);
  return open ? cell("Divergences", `✕ ${count(open)} open`, null, "alarm") : cell("Divergences", "none");
}

/** What has changed between two pictures, for those who listen. */
export function changes(before, after) {
  const old = new Map((before?.collections ?? []).map((one) => [one.name, one]));
  return after.collections
    .filter((one) => old.has(one.name) && said(old.get(one.name)) !== said(one))
    .map((one) => `${one.name}: ${one.verdict.sentence}`);
}

const said = (one) => `${one.verdict.word} ${one.stage} ${one.change?.step ?? ""}`;

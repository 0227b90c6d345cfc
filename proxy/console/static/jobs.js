// Backfill and verify: how far, how fast, how long still, and what they found.

import { h } from "./dom.js";
import { ago, count, span, words } from "./format.js";

/** @param {any} collection @param {any[]} actions @param {(action: any) => HTMLElement} button @param {number} now */
export const jobPanel = (collection, actions, button, now) =>
  h(
    "section",
    { class: "panel", "data-key": "jobs", "data-panel": "jobs", "aria-label": "Backfill and verify" },
    h("h3", {}, "Backfill and verify"),
    Object.entries(collection.jobs).map(([kind, job]) =>
      h(
        "div",
        { class: "job", "data-key": kind },
        h("h4", {}, words(kind)),
        h("div", { "data-job": kind }, job ? progress(kind, job, now) : h("p", { class: "muted" }, `No ${kind} has run.`)),
        h("p", { class: "buttons" }, actions.filter((one) => one.kind === kind && one.applies(collection)).map((action) => button(action))),
      ),
    ),
  );

/** A bar with its numbers in words; the words alone where the whole is not known. @param {string} kind @param {any} job */
export function meter(kind, job) {
  const { total, done } = job;
  if (!total) return h("span", { class: "main" }, `↻ ${count(done)} so far`);
  const share = Math.min(1, done / total);
  const bar = h("progress", { max: 1, value: share, "aria-label": `${words(kind)} progress` });
  return [bar, h("small", {}, `${Math.floor(share * 100)} %${left(job)}`)];
}

function left(job) {
  if (job.state !== "running" || !job.rate) return "";
  return `, about ${span((Math.max(0, job.total - job.done) / job.rate) * 1000)} left`;
}

function progress(kind, job, now) {
  const { tone, icon, word } = look(job);
  return [
    h("p", {}, h("span", { class: "badge", "data-tone": tone }, `${icon} ${word}`), h("span", { class: "muted" }, ` ${when(job, now)}`)),
    job.state === "finished" ? null : h("p", {}, meter(kind, job)),
    h("p", { class: "muted" }, tallies(job)),
    job.message ? h("p", { class: "wrong" }, job.message) : null,
  ];
}

const LOOKS = {
  running: { tone: "busy", icon: "↻", word: "running" },
  failed: { tone: "alarm", icon: "✕", word: "failed" },
};
const DIRTY = { tone: "alarm", icon: "✕", word: "finished, not clean" };

function look(job) {
  if (job.state === "finished") return job.isClean ? { tone: "safe", icon: "✓", word: "finished" } : DIRTY;
  return LOOKS[job.state] ?? { tone: "wait", icon: "!", word: job.state };
}

const when = (job, now) => `${job.state === "running" ? `since ${span(now - job.startedAt)}` : ago(job.updatedAt, now)}, at epoch ${job.epoch}`;

function tallies(job) {
  const counts = Object.entries(job.counts).sort().map(([name, number]) => `${words(name)} ${count(number)}`);
  const pace = job.state === "running" && job.rate ? [`${count(Math.round(job.rate))} a second`] : [];
  const hands = job.workers ? [`${job.workers} ${job.workers === 1 ? "worker" : "workers"}`] : [];
  return [...counts, ...pace, ...hands].join(", ") || "nothing counted yet";
}

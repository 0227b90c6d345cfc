// Backfill and verify: how far, how fast, how long still, and what they found.

import { h } from "./dom.js";
import { ago, count, span, words } from "./format.js";

/** @param {any} collection @param {any[]} actions @param {(action: any) => HTMLElement} button */
export const jobPanel = (collection, actions, button) =>
  h(
    "section",
    { class: "panel", "data-key": "jobs", "data-panel": "jobs", "aria-label": "Backfill and verify" },
    h("h3", {}, "Backfill and verify"),
    Object.entries(collection.jobs).map(([kind, job]) => [
      h("h4", {}, words(kind)),
      h("div", { "data-job": kind }, job ? progress(kind, job) : h("p", { class: "muted" }, `No ${kind} has run.`)),
      h("p", {}, actions.filter((one) => one.kind === kind && one.applies(collection)).map(button)),
    ]),
  );

function progress(kind, job) {
  return [
    h("p", {}, h("span", { class: "badge", "data-tone": TONES[job.state] }, `${ICONS[job.state] ?? ""} ${job.state}`), ` ${remaining(job)}`),
    job.total ? h("progress", { max: job.total, value: Math.min(job.done, job.total), "aria-label": `${kind} progress` }) : null,
    h("p", { class: "muted" }, tallies(job)),
    job.message ? h("p", { class: "wrong" }, job.message) : null,
  ];
}

const TONES = { running: "busy", finished: "safe", failed: "alarm", paused: "wait" };
const ICONS = { running: "↻", finished: "✓", failed: "✕", paused: "!" };

function remaining(job) {
  if (job.state === "finished") return `${ago(job.updatedAt, Date.now())}, at epoch ${job.epoch}`;
  if (!job.total) return "";
  const left = Math.max(0, job.total - job.done);
  const eta = job.state === "running" && job.rate ? `, about ${span((left / job.rate) * 1000)} left` : "";
  return `${count(job.done)} of about ${count(job.total)}${eta}`;
}

function tallies(job) {
  const counts = Object.entries(job.counts).sort().map(([name, number]) => `${words(name)} ${count(number)}`);
  const pace = job.rate ? [`${count(Math.round(job.rate))} a second`] : [];
  const hands = job.workers ? [`${job.workers} ${job.workers === 1 ? "worker" : "workers"}`] : [];
  return [...counts, ...pace, ...hands].join(", ") || "nothing counted yet";
}

// The match rate over the last half hour, drawn by uPlot; its numbers are also said in words.

import uPlot from "./vendor/uplot/uPlot.esm.js";
import { ask } from "./api.js";
import { clock, percent } from "./format.js";

const EVERY = 5_000;
const HEIGHT = 150;

/** Keeps one chart in its place while collections come and go. */
export class MatchChart {
  #plot = null;
  #place = null;
  #name = "";
  #askedAt = 0;

  constructor() {
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#drop());
    addEventListener("resize", () => this.#plot?.setSize(this.#size()));
  }

  /** Bring it up to date, now and then. @param {string} name */
  async update(name) {
    const place = document.getElementById("chart");
    if (place !== this.#place || name !== this.#name) this.#drop();
    [this.#place, this.#name] = [place, name];
    if (!place || Date.now() - this.#askedAt < EVERY) return;
    this.#askedAt = Date.now();
    const { samples } = await ask(`/api/history/${encodeURIComponent(name)}`).catch(() => ({ samples: [] }));
    if (place === this.#place && name === this.#name) this.#draw(samples);
  }

  #drop() {
    this.#plot?.destroy();
    this.#plot = null;
    this.#askedAt = 0;
  }

  #size() {
    return { width: Math.max(200, this.#place.clientWidth), height: HEIGHT };
  }

  #draw(samples) {
    this.#place.setAttribute("role", "img");
    this.#place.setAttribute("aria-label", inWords(samples));
    const data = [samples.map((one) => one.at / 1000), samples.map((one) => (100 * one.matched) / one.judged)];
    if (this.#plot) this.#plot.setData(data);
    else if (samples.length > 1) this.#plot = new uPlot({ ...options(this.#place), ...this.#size() }, data, this.#place);
    if (samples.length < 2) this.#place.textContent = "The chart begins with the second comparison interval.";
    else this.#place.firstChild.nodeType === Node.TEXT_NODE && this.#place.firstChild.remove();
  }
}

function options(place) {
  const style = getComputedStyle(place);
  const [ink, line, rule] = ["--muted", "--accent", "--rule"].map((name) => style.getPropertyValue(name).trim());
  const axis = { stroke: ink, grid: { stroke: rule, width: 1 }, ticks: { stroke: rule }, font: "12px Inter, system-ui" };
  return {
    legend: { show: false },
    cursor: { show: false },
    scales: { y: { range: (_, low) => [Math.max(0, Math.min(99, Math.floor(low ?? 99) - 1)), 100.2] } },
    axes: [{ ...axis, space: 70, values: (_, marks) => marks.map((mark) => clock(mark * 1000)) }, { ...axis, size: 68, values: (_, marks) => marks.map((mark) => (mark > 100 ? "" : `${mark} %`)) }],
    series: [{}, { stroke: line, width: 2, fill: `${line}18`, points: { show: false } }],
  };
}

function inWords(samples) {
  if (!samples.length) return "Match rate: nothing compared in the last half hour";
  const sum = (field) => samples.reduce((total, one) => total + one[field], 0);
  const worst = samples.reduce((low, one) => (one.matched / one.judged < low.matched / low.judged ? one : low));
  const lowest = `lowest ${percent(worst.matched, worst.judged)} at ${clock(worst.at)}`;
  return `Match rate since ${clock(samples[0].at)}: ${percent(sum("matched"), sum("judged"))}, ${lowest}`;
}

// One sentence for each collection: an icon, a word, and what stands in the way.

import { h } from "./dom.js";

export const ICONS = { safe: "✓", wait: "!", alarm: "✕", busy: "↻", done: "■" };

/** @param {any} picture @param {string} selected */
export const verdictList = (picture, selected) =>
  h("ul", { class: "verdicts" }, picture.collections.map((one) => row(one, one.name === selected)));

function row(collection, isSelected) {
  const { tone, sentence } = collection.verdict;
  return h(
    "li",
    { "data-key": collection.name, "data-tone": tone },
    h(
      "a",
      { href: `#/${encodeURIComponent(collection.name)}`, "aria-current": isSelected ? "true" : null },
      badge(collection.verdict),
      h("span", { class: "sentence" }, h("strong", {}, collection.name), `: ${sentence}`),
      h("span", { class: "stage" }, `${collection.stage}, epoch ${collection.epoch}`),
    ),
  );
}

/** @param {{tone: string, word: string}} verdict */
export const badge = ({ tone, word }) =>
  h("span", { class: "badge", "data-tone": tone }, h("span", { "aria-hidden": "true" }, ICONS[tone]), ` ${word}`);

/** What has changed between two pictures, for those who listen. */
export function changes(before, after) {
  const old = new Map((before?.collections ?? []).map((one) => [one.name, one]));
  return after.collections
    .filter((one) => old.has(one.name) && said(old.get(one.name)) !== said(one))
    .map((one) => `${one.name}: ${one.verdict.sentence}`);
}

const said = (one) => `${one.verdict.word} ${one.stage} ${one.change?.step ?? ""}`;

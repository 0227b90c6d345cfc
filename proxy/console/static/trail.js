// The audit trail of one collection: who changed what, when and why.

import { ask } from "./api.js";
import { byId, h, show } from "./dom.js";
import { moment, span } from "./format.js";

const EVERY = 5_000;
let shown = { key: "", at: 0 };

/** Show it, and ask again when the stage has changed or some time has passed. @param {any} collection */
export async function showTrail(collection) {
  const key = `${collection.name} ${collection.epoch} ${Boolean(collection.change)}`;
  if (key === shown.key && Date.now() - shown.at < EVERY) return;
  shown = { key, at: Date.now() };
  byId("trail").hidden = false;
  const { entries } = await ask(`/api/audit?${new URLSearchParams({ collection: collection.name })}`).catch(() => ({ entries: [] }));
  if (key === shown.key) show(byId("entries"), entries.length ? list(entries) : h("p", { class: "muted" }, "Nothing yet."));
}

const list = (entries) =>
  h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": "Audit trail" },
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, ["When", "Who", "What", "Why", "Hold"].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, entries.map(line)),
    ),
  );

const what = (one) => [one.action, one.details.job].filter(Boolean).join(" ");

const line = (one) =>
  h(
    "tr",
    {},
    h("td", {}, moment(one.at)),
    h("td", {}, one.actor),
    h("td", {}, one.before === one.after ? what(one) : `${what(one)}: ${one.before} to ${one.after}`),
    h("td", {}, one.reason),
    h("td", {}, one.details.hold_ms ? span(one.details.hold_ms) : ""),
  );

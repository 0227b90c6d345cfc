// The log of divergences: filter, look at both sides, repair.

import { ask } from "./api.js";
import { byId, h, show } from "./dom.js";
import { table } from "./evidence.js";
import { count, moment, words } from "./format.js";

const KINDS = [
  "STUCK_LAG",
  "TRUE_MISMATCH",
  "VERSION_CONFLICT",
  "MISSING_IN_MIRROR",
  "GHOST_IN_MIRROR",
  "MIRROR_AHEAD",
  "QUERY_MISMATCH",
  "ERROR_PARITY",
];
const EVERY = 3_000;

/** Shows the rows of one collection. */
export class DivergenceBrowser {
  #name = "";
  #askedAt = 0;
  #pages = 1;
  #rows = [];

  constructor() {
    byId("filter-kind").append(...KINDS.map((kind) => h("option", { value: kind }, words(kind))));
    byId("filter").addEventListener("change", () => this.#again());
    byId("filter").addEventListener("submit", (event) => event.preventDefault());
    byId("older").addEventListener("click", () => {
      this.#pages += 1;
      this.#refresh();
    });
  }

  /** @param {any} collection */
  update(collection) {
    byId("divergences").hidden = false;
    const isOther = collection.name !== this.#name;
    this.#name = collection.name;
    if (isOther) this.#again();
    else if (Date.now() - this.#askedAt > EVERY) this.#refresh();
  }

  /** Ask anew at once. */
  refresh() {
    this.#refresh();
  }

  /** @param {string} id */
  row(id) {
    return this.#rows.find((row) => row.id === id);
  }

  #again() {
    this.#pages = 1;
    this.#refresh();
  }

  async #refresh() {
    this.#askedAt = Date.now();
    const name = this.#name;
    try {
      const { rows, next } = await this.#read(name);
      if (name !== this.#name) return;
      this.#rows = rows;
      byId("older").hidden = !next;
      show(byId("rows"), rows.length ? rows.map(row) : h("p", { class: "muted" }, "None that fits."));
    } catch (error) {
      show(byId("rows"), h("p", { class: "wrong" }, `The log cannot be read: ${error.message}`));
    }
  }

  async #read(name) {
    const rows = [];
    let next = "";
    for (let page = 0; page < this.#pages; page += 1) {
      const query = { collection: name, kind: byId("filter-kind").value, state: byId("filter-state").value, before: next };
      const found = await ask(`/api/divergences?${new URLSearchParams(query)}`);
      rows.push(...found.divergences);
      next = found.next;
      if (!next) break;
    }
    return { rows, next };
  }
}

const row = (one) =>
  h(
    "details",
    { class: "divergence", "data-key": one.id, "data-id": one.id },
    h(
      "summary",
      {},
      h("span", { class: "badge", "data-tone": one.state === "closed" ? "done" : "alarm" }, `${one.state === "closed" ? "■" : "✕"} ${one.state}`),
      h("span", { class: "kind" }, words(one.kind)),
      h("code", { class: "key" }, one.key || "(of a query)"),
      h("span", { class: "muted" }, `last seen ${moment(one.lastSeen)}, ${count(one.count)} ${one.count === 1 ? "time" : "times"}`),
    ),
    comparison(one),
    table([
      ["Seen by", `${one.replica}, in a ${one.operation} at epoch ${one.epoch}`],
      ["First seen", moment(one.firstSeen)],
      ["Trace", one.traceId || "not traced"],
      ["Id", one.id],
    ]),
    one.state === "closed" ? null : h("p", {}, h("button", { type: "button", "data-repair": one.id }, "Repair…")),
  );

const comparison = (one) =>
  h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": "Both sides" },
    h(
      "table",
      { class: "sides" },
      h(
        "thead",
        {},
        h("tr", {}, h("th", { scope: "col" }, "Field"), side("Primary", one.primaryVersion), side("Mirror", one.mirrorVersion)),
      ),
      h("tbody", {}, one.differences.map(difference)),
    ),
  );

const side = (name, version) => h("th", { scope: "col" }, name, h("small", {}, version ? ` version ${version}` : " no document"));

const difference = (one) =>
  h("tr", {}, h("th", { scope: "row" }, h("code", {}, one.path || "(query)")), value(one.primary), value(one.mirror));

const value = (text) => h("td", {}, text === null ? h("span", { class: "muted" }, "absent") : h("code", {}, text));

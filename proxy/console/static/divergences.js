// The log of divergences: filter, look at both sides, repair.

import { ask } from "./api.js";
import { byId, h, show } from "./dom.js";
import { count, keyWords, moment, words } from "./format.js";
import { table } from "./panels.js";

const EVERY = 3_000;

/** Shows the rows of one collection. */
export class DivergenceBrowser {
  #name = "";
  #askedAt = 0;
  #pages = 1;

  constructor() {
    byId("filter").addEventListener("change", () => this.#again());
    byId("filter").addEventListener("submit", (event) => event.preventDefault());
    byId("older").addEventListener("click", () => {
      this.#pages += 1;
      this.#refresh();
    });
  }

  /** @param {any} collection @param {string[]} kinds that there are */
  update(collection, kinds) {
    byId("divergences").hidden = false;
    show(byId("filter-kind"), option("", "any"), kinds.map((kind) => option(kind, words(kind))));
    const isOther = collection.name !== this.#name;
    this.#name = collection.name;
    if (isOther) this.#again();
    else if (Date.now() - this.#askedAt > EVERY) this.#refresh();
  }

  /** Ask anew at once. */
  refresh() {
    this.#refresh();
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
      byId("older").hidden = !next;
      show(byId("rows"), rows.length ? rows.map(row) : h("p", { class: "muted" }, byId("filter-state").value === "open" ? "None is open." : "None that fits."));
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

const option = (value, text) => h("option", { value }, text);

const row = (one) =>
  h(
    "details",
    { class: "divergence", "data-key": one.id, "data-id": one.id },
    h(
      "summary",
      {},
      h("span", { class: "badge", "data-tone": one.state === "closed" ? "done" : "alarm" }, `${one.state === "closed" ? "■" : "✕"} ${one.state}`),
      h("span", { class: "kind" }, words(one.kind)),
      h("code", { class: "key" }, keyWords(one.key) || "(of a query)"),
      h("span", { class: "muted" }, `last seen ${moment(one.lastSeen)}, ${count(one.count)} ${one.count === 1 ? "time" : "times"}`),
    ),
    comparison(one),
    table([
      ["Key", h("code", {}, one.key || "(of a query)")],
      ["Seen by", `${one.replica}, in a ${one.operation} at epoch ${one.epoch}`],
      ["First seen", moment(one.firstSeen)],
      ["Trace", one.traceId ? h("code", {}, one.traceId) : "not traced"],
      ["Id", h("code", {}, one.id)],
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

const REDACTED = "(redacted)";

function value(text) {
  if (text === null) return h("td", {}, h("span", { class: "muted" }, "absent"));
  return h("td", {}, h("code", { class: text === REDACTED ? "muted" : null }, text));
}

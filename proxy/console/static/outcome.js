// What became of an order: whether it was done, how long clients waited, and each step.

import { h } from "./dom.js";
import { checkList, table } from "./panels.js";
import { span, words } from "./format.js";

/**
 * @param {import("./actions.js").Action} action
 * @param {any} collection
 * @param {any} done what the proxy answered
 */
export function outcome(action, collection, done) {
  const tone = done.executed ? "safe" : "alarm";
  const word = done.executed ? "✓ Done" : "✕ Not done";
  return h(
    "div",
    { class: "outcome" },
    h("h2", { id: "order-title", tabindex: "-1" }, `${action.label}: ${collection.name}`),
    h("p", { role: "status" }, h("span", { class: "badge", "data-tone": tone }, word), ` ${done.message}`),
    done.holdMs ? h("p", { class: "figure" }, span(done.holdMs), h("small", {}, " reads and writes waited")) : null,
    Object.keys(done.stepsMs ?? {}).length ? table(Object.entries(done.stepsMs).map(([step, ms]) => [words(step), span(ms)])) : null,
    done.executed ? null : checkList(done.checks.filter((check) => !check.passed)),
    h("p", { class: "buttons" }, h("button", { type: "button", class: "main", "data-dialog": "close" }, "Close")),
  );
}

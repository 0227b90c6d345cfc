// One collection in full: where it is, what may be ordered, and the evidence.

import { available, JOB_ACTIONS } from "./actions.js";
import { badge } from "./board.js";
import { h } from "./dom.js";
import { span } from "./format.js";
import { jobPanel } from "./jobs.js";
import { factsPanel, gatePanel, kindsPanel, matchPanel, mirrorPanel, rehearsalPanel, replicasPanel } from "./panels.js";

/** @param {any} picture @param {any} collection */
export const evidence = (picture, collection) => [
  h(
    "div",
    { class: "head", "data-key": `head-${collection.name}` },
    h("h2", { id: "name" }, collection.name),
    badge(collection.verdict),
    h("p", { class: "sentence" }, collection.verdict.sentence),
  ),
  rail(picture.stages, collection),
  underWay(collection, picture.at),
  h("div", { class: "orders", role: "group", "aria-label": "Orders" }, available(collection).map((action) => button(action, isInvited(collection)))),
  h(
    "div",
    { class: "columns" },
    column(collection.gates.map(gatePanel)),
    column(jobPanel(collection, JOB_ACTIONS, button, picture.at), matchPanel(collection), kindsPanel(collection)),
    column(mirrorPanel(collection, picture.at), factsPanel(collection, picture.at), rehearsalPanel(collection)),
  ),
  replicasPanel(picture, collection),
];

const column = (...panels) => h("div", { class: "column" }, panels);

/** Whether the main order is what the evidence invites to. */
const isInvited = ({ verdict: { tone } }) => tone === "safe" || tone === "busy";

/** @param {{verb: string, label: string, isMain?: boolean}} action @param {boolean} [isInvited] */
const button = (action, isInvited = false) =>
  h("button", { type: "button", "data-verb": action.verb, class: action.isMain && isInvited ? "main" : null }, `${action.label}…`);

const SERVES = {
  MONGO_ONLY: "MongoDB alone",
  MONGO_PRIMARY: "MongoDB decides, DynamoDB follows",
  DYNAMO_PRIMARY: "DynamoDB decides, MongoDB follows",
  DYNAMO_ONLY: "DynamoDB alone",
};

/** The four stages as a line to walk along. */
function rail(stages, { stage, change }) {
  const present = stages.indexOf(stage);
  return h(
    "ol",
    { class: "rail", "aria-label": "Stages" },
    stages.map((name, index) =>
      h(
        "li",
        {
          "aria-current": name === stage ? "step" : null,
          "data-passed": index < present,
          "data-next": name === change?.target,
        },
        h("strong", {}, name),
        h("small", {}, SERVES[name]),
      ),
    ),
  );
}

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

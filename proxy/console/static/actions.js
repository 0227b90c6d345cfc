// What can be ordered, when, and what it means for the people who wait at the other end.

/**
 * @typedef {object} Action
 * @property {string} verb of the API
 * @property {string} label on the button and the dialog
 * @property {(collection: any) => boolean} applies
 * @property {(collection: any) => string[]} means what will happen, in words
 * @property {boolean} [isMain] what an operator most likely came for
 * @property {boolean} [hasLength] whether it takes seconds
 * @property {string} [kind] of job
 */

const at = (...stages) => (one) => stages.includes(one.stage) && !one.change && !isRehearsing(one);
const isRehearsing = (one) => Boolean(one.rehearsal && !one.rehearsal.returned_at);
const isUnderWay = (one) => Boolean(one.change) || isRehearsing(one);

const HOLD = "Reads and writes wait, and do not fail, until every replica holds and the mirror has caught up: commonly a tenth of a second.";
const ABORTS = "If that takes too long, the change is aborted and the old stage goes on.";

/** @type {Action[]} */
export const ACTIONS = [
  {
    verb: "mirror",
    label: "Start mirroring",
    isMain: true,
    applies: at("MONGO_ONLY"),
    means: () => [
      "MongoDB stays the primary. From now on every write is copied to DynamoDB, and reads are compared.",
      "Clients see no difference. What is in MongoDB already is copied by a backfill.",
    ],
  },
  {
    verb: "cutover",
    label: "Cut over",
    isMain: true,
    applies: at("MONGO_PRIMARY"),
    means: () => [
      "DynamoDB becomes the primary and serves all reads. MongoDB becomes the mirror.",
      HOLD,
      ABORTS,
      "Services that write to MongoDB directly are refused from then on.",
      "You can roll back without losing a write.",
    ],
  },
  {
    verb: "rehearse",
    label: "Rehearse",
    hasLength: true,
    applies: at("MONGO_PRIMARY"),
    means: () => ["A cutover that goes back by itself after the time you give, and reports.", `${HOLD} Twice: there and back.`],
  },
  {
    verb: "unmirror",
    label: "Stop mirroring",
    applies: at("MONGO_PRIMARY"),
    means: () => [
      "Writes are no longer copied to DynamoDB, which grows stale.",
      "Mirroring again needs a new backfill and verify.",
    ],
  },
  {
    verb: "rollback",
    label: "Roll back",
    isMain: true,
    applies: at("DYNAMO_PRIMARY"),
    means: () => ["MongoDB becomes the primary again, with every write that was acknowledged.", HOLD, ABORTS],
  },
  {
    verb: "finish",
    label: "Finish",
    applies: at("DYNAMO_PRIMARY"),
    means: () => [
      "MongoDB is used no more for this collection. Writes need DynamoDB alone.",
      "There is no way back from here.",
    ],
  },
  {
    verb: "abort",
    label: "Abort",
    isMain: true,
    applies: isUnderWay,
    means: (one) =>
      one.change
        ? ["The running change ends, and the present stage is published anew.", "If it was published first, it stays."]
        : ["The rehearsal goes back to MongoDB as soon as it may."],
  },
];

const runs = (one, kind) => one.jobs[kind]?.state === "running";
const COSTS = {
  backfill: "Copies what is in the primary to the mirror, while traffic goes on. It costs write capacity in the mirror.",
  verify: "Reads both stores in full and compares them, while traffic goes on. It costs read capacity in both.",
};

/** @type {Action[]} */
export const JOB_ACTIONS = ["backfill", "verify"].flatMap((kind) => [
  {
    verb: `start-${kind}`,
    label: `Start ${kind}`,
    kind,
    applies: (one) => Boolean(one.mirror) && !runs(one, kind),
    means: () => [COSTS[kind], "An unfinished one goes on where it stopped."],
  },
  {
    verb: `stop-${kind}`,
    label: `Stop ${kind}`,
    kind,
    applies: (one) => runs(one, kind),
    means: () => ["It stops at its last checkpoint. Whoever starts it again goes on from there."],
  },
]);

/** @type {Action} */
export const REPAIR = {
  verb: "repair",
  label: "Repair",
  applies: (one) => Boolean(one.mirror),
  means: () => [
    "The primary's document is read again and given to the mirror, unless the mirror has a newer one.",
    "Then both are compared; the divergence is closed only if they agree.",
  ],
};

/** @param {any} collection @returns {Action[]} */
export const available = (collection) => ACTIONS.filter((action) => action.applies(collection));

/** @param {string} verb */
export const actionNamed = (verb) => [...ACTIONS, ...JOB_ACTIONS, REPAIR].find((action) => action.verb === verb);

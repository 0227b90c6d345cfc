// Asks before anything is done: what it means, what a dry run found, who, why, and the name typed once more.

import { NoAnswer, order } from "./api.js";
import { byId, h, show } from "./dom.js";
import { outcome } from "./outcome.js";
import { checkList, tally } from "./panels.js";

const SECONDS = 60;
const LOOKING = "Dry run: looking, changing nothing…";

/** One order being prepared. */
export class Dialog {
  constructor() {
    this.element = byId("order");
    this.element.addEventListener("click", (event) => this.#clicked(event));
    this.element.addEventListener("input", () => this.#mind());
    this.element.addEventListener("change", (event) => event.target.id === "order-seconds" && this.#tryOut());
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#carryOut();
    });
  }

  /**
   * Open it, and try the order out at once.
   * @param {import("./actions.js").Action} action
   * @param {any} collection
   * @param {object} [more] what else the order says, such as a divergence
   */
  open(action, collection, more = {}) {
    Object.assign(this, { action, collection, more, trial: null, isBusy: false });
    this.element.replaceChildren(form(action, collection));
    this.#field("actor").value = byId("actor").value;
    this.element.showModal();
    this.#field(this.#field("actor").value ? "reason" : "actor").focus();
    this.#tryOut();
  }

  #field(name) {
    return this.element.querySelector(`#order-${name}`);
  }

  #wish(isDry) {
    const wish = {
      actor: this.#field("actor").value.trim(),
      reason: this.#field("reason").value.trim(),
      confirmation: this.#field("confirmation").value.trim(),
      dry_run: isDry,
      override: !isDry && this.#mayOverride() && this.#field("override").checked,
      ...this.more,
    };
    if (this.action.hasLength) wish.seconds = Number(this.#field("seconds").value) || 0;
    if (!this.action.kind && !this.more.divergence) wish.epoch = this.collection.epoch;
    return wish;
  }

  async #tryOut() {
    this.trial = null;
    const place = this.#field("trial");
    if (place.firstChild) place.firstChild.textContent = LOOKING; // the rest stays: nothing moves under a pointer
    else show(place, h("p", { class: "tried" }, LOOKING));
    this.#mind();
    try {
      this.trial = await order(this.collection.name, this.action.verb, this.#wish(true));
      show(place, findings(this.trial.checks));
    } catch (error) {
      show(place, h("p", { class: "wrong", role: "alert" }, `Dry run: ${error.message}`));
    }
    this.#mind();
  }

  #mayOverride() {
    const failed = this.trial?.checks.filter((check) => !check.passed) ?? [];
    return failed.length > 0 && failed.every((check) => check.overridable);
  }

  /** Say what is still missing, and let nothing through before. */
  #mind() {
    if (!this.#field("go")) return;
    if (this.trial) this.#field("override-row").hidden = !this.#mayOverride();
    const missing = this.#missing();
    this.#field("go").disabled = missing.length > 0 || this.isBusy;
    show(this.#field("missing"), missing.length ? `Still needed: ${missing.join(", ")}.` : "Ready.");
  }

  #missing() {
    const failed = this.trial?.checks.some((check) => !check.passed);
    const isOverridden = this.#mayOverride() && this.#field("override").checked;
    return [
      this.trial ? null : "a dry run",
      failed && !isOverridden ? "every check passed" : null,
      this.#field("actor").value.trim() ? null : "your name",
      this.#field("reason").value.trim() ? null : "a reason",
      this.#field("confirmation").value.trim() === this.collection.name ? null : `${this.collection.name} typed`,
    ].filter(Boolean);
  }

  async #carryOut() {
    if (this.#missing().length || this.isBusy) return;
    this.isBusy = true;
    this.#mind();
    const { action, collection } = this;
    show(this.#field("missing"), `${action.label}: under way…`);
    try {
      const done = await order(collection.name, action.verb, this.#wish(false));
      this.element.replaceChildren(outcome(action, collection, done));
      this.element.querySelector("#order-title").focus();
    } catch (error) {
      const more = error instanceof NoAnswer ? ". It may have been done all the same: look before you order it again" : "";
      show(this.#field("missing"), h("span", { class: "wrong", role: "alert" }, `${error.message}${more}`));
      this.#field("go").disabled = false;
    }
    this.isBusy = false;
  }

  #clicked(event) {
    const what = event.target.closest("[data-dialog]")?.getAttribute("data-dialog");
    if (what === "close") this.element.close();
    if (what === "again") this.#tryOut();
  }
}

/** What a dry run found: what failed in full, what passed folded away. */
function findings(checks) {
  const failed = checks.filter((check) => !check.passed);
  const passed = checks.filter((check) => check.passed);
  return [
    h("p", { class: "tried" }, "Dry run: ", tally(checks)),
    failed.length ? checkList(failed) : null,
    passed.length ? h("details", {}, h("summary", {}, `${passed.length} passed, with evidence`), checkList(passed)) : null,
  ];
}

const form = (action, collection) =>
  h(
    "form",
    { autocomplete: "off" },
    h("h2", { id: "order-title" }, `${action.label}: ${collection.name}`),
    h("ul", { class: "means" }, action.means(collection).map((line) => h("li", {}, line))),
    action.hasLength ? field("seconds", "For how many seconds", { type: "number", min: "1", value: SECONDS }) : null,
    h(
      "div",
      { class: "trial" },
      h("div", { id: "order-trial", "aria-live": "polite" }),
      h("button", { type: "button", class: "quiet", "data-dialog": "again" }, "Dry run again"),
      h("p", { id: "order-override-row", hidden: true }, h("label", {}, h("input", { type: "checkbox", id: "order-override" }), " Override the failed checks, and have that recorded")),
    ),
    h(
      "div",
      { class: "pair" },
      field("actor", "Your name", { maxlength: "100" }),
      field("reason", "Reason", { maxlength: "500" }),
    ),
    field("confirmation", `Type ${collection.name} to confirm`, { spellcheck: "false", autocapitalize: "off" }),
    h(
      "div",
      { class: "foot" },
      h("p", { id: "order-missing", class: "muted", "aria-live": "polite" }),
      h(
        "p",
        { class: "buttons" },
        h("button", { type: "button", "data-dialog": "close" }, "Cancel"),
        h("button", { type: "submit", id: "order-go", class: "main", disabled: true }, action.label),
      ),
    ),
  );

const field = (name, label, attributes) =>
  h("label", { class: "field", for: `order-${name}` }, label, h("input", { id: `order-${name}`, ...attributes }));

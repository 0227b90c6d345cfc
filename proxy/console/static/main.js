// The page: what is chosen, what is shown, and what happens on a click.

import { actionNamed, REPAIR } from "./actions.js";
import { answer, board, changes } from "./board.js";
import { MatchChart } from "./chart.js";
import { Dialog } from "./dialog.js";
import { DivergenceBrowser } from "./divergences.js";
import { byId, h, show } from "./dom.js";
import { evidence } from "./evidence.js";
import { clock } from "./format.js";
import { follow } from "./live.js";
import { admitted } from "./signin.js";
import { showTrail } from "./trail.js";

const NAME = "crossfade.actor";
const dialog = new Dialog();
const browser = new DivergenceBrowser();
const chart = new MatchChart();
let picture = null;

/** The collection whose evidence is shown: that of the address, else the first. */
function chosen() {
  const name = decodeURIComponent(location.hash.slice("#/".length));
  return picture?.collections.find((one) => one.name === name) ?? picture?.collections[0];
}

function render() {
  const collection = chosen();
  if (!collection) {
    show(byId("verdicts"), h("p", { class: "muted" }, "No collection is declared: see docs/settings.md."));
    return;
  }
  show(byId("answer"), answer(picture.collections));
  document.title = `${collection.name}: ${collection.verdict.word} – Crossfade`;
  show(byId("verdicts"), board(picture, collection.name));
  show(byId("collection"), evidence(picture, collection));
  chart.update(collection.name);
  browser.update(collection, picture.kinds);
  showTrail(collection);
}

byId("actor").value = localStorage.getItem(NAME) ?? "";
byId("actor").addEventListener("change", (event) => localStorage.setItem(NAME, event.target.value.trim()));
await admitted();

follow({
  onPicture(fresh) {
    const news = changes(picture, fresh);
    if (news.length) byId("announcer").textContent = news.join(". ");
    picture = fresh;
    document.body.dataset.live = "yes";
    byId("trouble").hidden = true;
    show(byId("connection"), `Live from ${picture.replica}`);
    show(byId("seen"), clock(picture.at)); // outside of the status, which is read out whenever it changes
    render();
  },
  onTrouble(message) {
    document.body.dataset.live = "no";
    const since = picture ? `What you see is as of ${clock(picture.at)}: do not decide on it.` : "Nothing can be shown yet.";
    show(byId("connection"), "Not live");
    show(byId("answer"), h("span", { "data-tone": "alarm" }, "Unknown from here."));
    show(byId("seen"));
    show(byId("trouble"), `✕ Not live: ${message}. ${since}`);
    byId("trouble").hidden = false;
  },
});

addEventListener("hashchange", () => {
  if (location.hash.startsWith("#/") && picture) render();
});

document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-verb], [data-repair], [data-jump]");
  const collection = chosen();
  if (!target || !collection) return;
  if (target.dataset.verb) dialog.open(actionNamed(target.dataset.verb), collection);
  if (target.dataset.repair) dialog.open(REPAIR, collection, { divergence: target.dataset.repair });
  if (target.dataset.jump) {
    event.preventDefault();
    byId(target.dataset.jump).scrollIntoView();
    byId("filter-kind").focus();
  }
});

byId("order").addEventListener("close", () => browser.refresh());

// Asks who is there, where the proxy wants to know: a token opens a session, whose cookie no script can read.

import { ask, send } from "./api.js";
import { byId } from "./dom.js";

let waiting = null;

/** Resolves with the visitor's name ("" where nobody has to sign in) once they are let in. */
export function admitted() {
  waiting ??= comeIn().finally(() => (waiting = null));
  return waiting;
}

async function comeIn() {
  while (true) {
    try {
      const me = await ask("/api/me");
      if (me.isSignedIn) greet(me.name);
      return me.name;
    } catch (error) {
      if (error.reason !== "NOT_SIGNED_IN") return "";
      await signIn();
    }
  }
}

async function signIn() {
  const dialog = byId("sign-in");
  const token = byId("token");
  dialog.showModal();
  await new Promise((resolve) => {
    byId("sign-in-form").onsubmit = async (event) => {
      event.preventDefault();
      const shown = token.value;
      token.value = "";
      try {
        await send("/api/sign-in", { token: shown });
        resolve();
      } catch (error) {
        byId("sign-in-trouble").textContent = `✕ ${error.message}`;
        token.focus();
      }
    };
  });
  byId("sign-in-trouble").textContent = "";
  dialog.close();
}

function greet(name) {
  const actor = byId("actor");
  actor.value = name;
  actor.readOnly = true;
  const out = byId("sign-out");
  out.hidden = false;
  out.onclick = async () => {
    await send("/api/sign-out", {});
    location.reload();
  };
}

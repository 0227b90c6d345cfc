// The stream of pictures: says what it sees, and says so at once when it no longer sees.

import { admitted } from "./signin.js";

const SILENCE = 20_000; // milliseconds without a word after which a connection counts as dead
const AGAIN = 2_000;

/**
 * @typedef {object} Listener
 * @property {(picture: any) => void} onPicture
 * @property {(message: string) => void} onTrouble
 */

/** Follow for as long as the page lives. @param {Listener} listener */
export function follow(listener) {
  let source = open();
  let heard = Date.now();

  function open() {
    const stream = new EventSource("/api/live");
    stream.addEventListener("picture", (event) => {
      heard = Date.now();
      listener.onPicture(JSON.parse(event.data));
    });
    stream.addEventListener("trouble", (event) => {
      heard = Date.now();
      listener.onTrouble(JSON.parse(event.data).message);
    });
    stream.addEventListener("error", async () => {
      listener.onTrouble("the proxy does not answer");
      await admitted(); // the session may be over
    });
    return stream;
  }

  setInterval(() => {
    const isSilent = Date.now() - heard > SILENCE;
    if (isSilent) listener.onTrouble("the proxy has been silent");
    if (isSilent || source.readyState === EventSource.CLOSED) {
      source.close();
      heard = Date.now();
      source = open();
    }
  }, AGAIN);
}

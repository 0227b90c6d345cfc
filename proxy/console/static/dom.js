// Builds elements from data as text, never as HTML, and brings what is shown up to date in place, so that
// focus, selection and what a reader has unfolded survive every update.

/**
 * An element. Children are nodes, strings, numbers, arrays of them; null and false are left out.
 * @param {string} tag
 * @param {Record<string, string|number|boolean|null|undefined>} attributes true: present, false or null: absent
 * @param {...any} children
 * @returns {HTMLElement}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children.flat(Infinity).filter(isShown).map(String_));
  return element;
}

const isShown = (child) => child !== null && child !== undefined && child !== false;
const String_ = (child) => (child instanceof Node ? child : String(child));

/**
 * Show `children` in `place`, changing only what differs.
 * @param {Element} place
 * @param {...any} children
 */
export function show(place, ...children) {
  patchChildren(place, h("div", {}, ...children));
}

/** Make `old` like `fresh`; the node that stands there afterwards. */
function patch(old, fresh) {
  if (old.nodeName !== fresh.nodeName || keyOf(old) !== keyOf(fresh)) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  patchAttributes(old, fresh);
  if (!old.hasAttribute("data-island")) patchChildren(old, fresh); // an island keeps its own inside
}

function patchAttributes(old, fresh) {
  for (const { name } of [...old.attributes]) {
    const isTheReaders = name === "open" && old.nodeName === "DETAILS";
    if (!fresh.hasAttribute(name) && !isTheReaders) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}

function patchChildren(old, fresh) {
  const wanted = [...fresh.childNodes];
  const present = [...old.childNodes];
  wanted.forEach((child, index) => (index < present.length ? patch(present[index], child) : old.append(child)));
  present.slice(wanted.length).forEach((child) => child.remove());
}

const keyOf = (node) => (node.getAttribute ? node.getAttribute("data-key") : null);

/**
 * The element with an id; it must be there.
 * @param {string} id
 * @returns {any}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`no element ${id}`);
  return element;
}

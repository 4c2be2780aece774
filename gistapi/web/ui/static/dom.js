// Small helpers for building the page. Text is always set as text, never as HTML.

const number = new Intl.NumberFormat("en");

export const $ = (id) => document.getElementById(id);
export const count = (value) => number.format(value);
export const plural = (value, word, words = `${word}s`) => `${count(value)} ${value === 1 ? word : words}`;

/** A number of bytes in the largest unit that keeps it at least 1. */
export function size(bytes) {
  const units = ["B", "kB", "MB", "GB"];
  let step = 0;
  while (bytes >= 1000 && step < units.length - 1) { bytes /= 1000; step += 1; }
  return `${bytes.toFixed(bytes < 10 && step ? 1 : 0)} ${units[step]}`;
}

/** A new element with these properties and children. */
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** An anchor that opens in a new tab. Only web addresses become links. */
export function link(address, properties = {}, ...children) {
  const anchor = element("a", properties, ...children);
  if (/^https?:\/\//.test(address)) {
    Object.assign(anchor, { href: address, target: "_blank", rel: "noopener" });
  }
  return anchor;
}

// The matching gists: shown as they arrive, then sorted and narrowed.

import * as colours from "./colours.js";
import { $, count, element, link } from "./dom.js";
import { fileElement } from "./lines.js";

const TOP = 8; // languages and kinds of file to choose from
const FACETS = { language: (file) => file.language, kind: (file) => kindOf(file.file) };
const ORDERS = {
  newest: (a, b) => b.data.created_at.localeCompare(a.data.created_at),
  updated: (a, b) => b.data.updated_at.localeCompare(a.data.updated_at),
  oldest: (a, b) => a.data.created_at.localeCompare(b.data.created_at),
  matches: (a, b) => hits(b.data) - hits(a.data),
  found: (a, b) => a.number - b.number,
};

const STEP = 60; // gists added to the page at once

const found = new Map(); // address of a gist → { data, number }
const chosen = { language: new Set(), kind: new Set() };
let order = "newest";
let visible = []; // the entries that the facets leave, in the order shown
let drawn = 0; // how many of them are in the page
let wanted = STEP; // how many should be

const hits = ({ files }) => files.reduce((sum, file) => sum + file.matches.length, 0);
const kindOf = (name) => name && (/.\.[^.]+$/.test(name) ? `*${name.slice(name.lastIndexOf("."))}` : name);

export const total = () => found.size;

export function clear() {
  found.clear();
  for (const values of Object.values(chosen)) values.clear();
  $("facets").replaceChildren();
  $("shown").textContent = "";
  visible = [];
  redraw();
  setTools();
}

/** Show a gist. A search that is continued can send a gist again; it is shown once. */
export function add(data) {
  if (found.has(data.gist)) return;
  const entry = { data, number: found.size };
  found.set(data.gist, entry);
  if (isShown(entry)) visible.push(entry);
  draw();
  if (found.size === 1) setTools();
}

/** Sort at the end of the search, unless that would move what the reader sees. */
export function finish() {
  const reading = $("matches").contains(document.activeElement) || $("matches").getBoundingClientRect().top < 0;
  if (reading) $("sort").value = "found";
  else sortBy(order);
  showFacets();
  showNarrowed();
}

/** The gists shown, in their order, without the files that are hidden. */
export function shown() {
  return visible.map(({ data }) => ({ ...data, files: data.files.filter(isChosen) }));
}

export function sortBy(name) {
  $("sort").value = name;
  order = name;
  const before = visible;
  const entries = [...found].sort((a, b) => ORDERS[name](a[1], b[1]));
  found.clear();
  for (const [gist, entry] of entries) found.set(gist, entry);
  visible = [...found.values()].filter(isShown);
  if (visible.slice(0, drawn).some((entry, index) => entry !== before[index])) redraw();
}

/** Render the gists in view, and a few more. */
function draw() {
  const next = visible.slice(drawn, wanted);
  drawn += next.length;
  $("matches").append(...next.map(({ data }) => gistElement(data)));
}

/** Render again from the first gist: the selection or the order has changed. */
function redraw() {
  drawn = 0;
  wanted = STEP;
  $("matches").replaceChildren();
  colours.clear();
  draw();
}

/** Render more when the reader comes near the end. */
new IntersectionObserver((seen) => {
  if (!seen.some(({ isIntersecting }) => isIntersecting)) return;
  wanted = drawn + STEP;
  draw();
}, { rootMargin: "1500px" }).observe($("rest"));

function gistElement({ gist, owner, description, created_at, updated_at, files }) {
  const title = description || files[0]?.file || gist.replace(/^https?:\/\//, "");
  const meta = [owner && element("span", { className: "owner" }, owner), "created ", day(created_at)];
  if (day(updated_at).textContent !== day(created_at).textContent) meta.push(" · updated ", day(updated_at));
  if (owner) meta.splice(1, 0, " · ");
  return element("li", { className: "match" },
    element("header", {},
      element("h2", {}, link(gist, { className: "gist" }, title)),
      element("p", { className: "meta" }, ...meta.filter(Boolean))),
    ...files.filter(isChosen).map((file) => fileElement(gist, file)));
}

function day(time) {
  const words = new Date(time).toLocaleDateString("en", { dateStyle: "medium", timeZone: "UTC" });
  return element("time", { dateTime: time }, words);
}

function setTools() {
  for (const tool of $("tools").querySelectorAll("button, select")) tool.disabled = !found.size;
}

/* Facets */

const isChosen = (file) => Object.entries(FACETS)
  .every(([facet, of]) => !chosen[facet].size || chosen[facet].has(of(file)));

const isShown = ({ data }) => data.files.some(isChosen);

function showNarrowed() {
  $("shown").textContent = visible.length === found.size ? "" : `${count(visible.length)} of ${count(found.size)} shown`;
}

function showFacets() {
  const groups = Object.entries(FACETS).map(([facet, of]) => {
    const counts = new Map();
    for (const { data } of found.values()) {
      for (const value of new Set(data.files.map(of))) if (value) counts.set(value, (counts.get(value) ?? 0) + 1);
    }
    const top = [...counts].sort((a, b) => b[1] - a[1]).slice(0, TOP);
    return counts.size > 1 ? top.map(([value, gists]) => facetButton(facet, value, gists)) : [];
  });
  $("facets").replaceChildren(...groups.flat());
}

function facetButton(facet, value, gists) {
  const button = element("button", { type: "button", className: "facet" }, value, " ",
    element("span", {}, count(gists)));
  button.setAttribute("aria-pressed", String(chosen[facet].has(value)));
  button.addEventListener("click", () => {
    if (!chosen[facet].delete(value)) chosen[facet].add(value);
    button.setAttribute("aria-pressed", String(chosen[facet].has(value)));
    visible = [...found.values()].filter(isShown);
    redraw();
    showNarrowed();
  });
  return button;
}

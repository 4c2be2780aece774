// The matching gists: shown as they arrive, then sorted and narrowed.

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

const found = new Map(); // address of a gist → { data, item, number }
const chosen = { language: new Set(), kind: new Set() };
let order = "newest";

const hits = ({ files }) => files.reduce((sum, file) => sum + file.matches.length, 0);
const kindOf = (name) => name && (/.\.[^.]+$/.test(name) ? `*${name.slice(name.lastIndexOf("."))}` : name);

export const total = () => found.size;

export function clear() {
  found.clear();
  for (const values of Object.values(chosen)) values.clear();
  $("matches").replaceChildren();
  $("facets").replaceChildren();
  $("shown").textContent = "";
  setTools();
}

/** Show a gist. A search that is continued can send a gist again; it is shown once. */
export function add(data) {
  if (found.has(data.gist)) return;
  const item = gistElement(data);
  const entry = { data, item, number: found.size };
  found.set(data.gist, entry);
  narrow(entry);
  $("matches").append(item);
  if (found.size === 1) setTools();
}

/** Sort once the search has ended, unless that would move what the reader is looking at. */
export function finish() {
  const reading = $("matches").contains(document.activeElement) || $("matches").getBoundingClientRect().top < 0;
  if (reading) $("sort").value = "found";
  else sortBy(order);
  showFacets();
  showNarrowed();
}

/** The gists shown, in their order, without the files that are hidden. */
export function shown() {
  return [...found.values()]
    .filter(({ item }) => !item.hidden)
    .map(({ data }) => ({ ...data, files: data.files.filter(isChosen) }));
}

export function sortBy(name) {
  $("sort").value = name;
  order = name;
  const entries = [...found].sort((a, b) => ORDERS[name](a[1], b[1]));
  const moved = entries.some(([, { item }], index) => $("matches").children[index] !== item);
  found.clear();
  for (const [gist, entry] of entries) found.set(gist, entry);
  if (moved) $("matches").append(...entries.map(([, { item }]) => item));
}

function gistElement({ gist, owner, description, created_at, updated_at, files }) {
  const title = description || files[0]?.file || gist.replace(/^https?:\/\//, "");
  const meta = [owner && element("span", { className: "owner" }, owner), "created ", day(created_at)];
  if (day(updated_at).textContent !== day(created_at).textContent) meta.push(" · updated ", day(updated_at));
  if (owner) meta.splice(1, 0, " · ");
  return element("li", { className: "match" },
    element("header", {},
      element("h2", {}, link(gist, { className: "gist" }, title)),
      element("p", { className: "meta" }, ...meta.filter(Boolean))),
    ...files.map((file) => fileElement(gist, file)));
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

function narrow({ data, item }) {
  const parts = item.querySelectorAll(".part");
  data.files.forEach((file, index) => { parts[index].hidden = !isChosen(file); });
  item.hidden = !data.files.some(isChosen);
}

function showNarrowed() {
  const visible = [...found.values()].filter(({ item }) => !item.hidden).length;
  $("shown").textContent = visible === found.size ? "" : `${count(visible)} of ${count(found.size)} shown`;
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
    for (const entry of found.values()) narrow(entry);
    showNarrowed();
  });
  return button;
}

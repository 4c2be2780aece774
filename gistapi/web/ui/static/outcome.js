// The state of a search: progress, counts, what was not searched, and why an answer is empty.

import { $, count, element, link, plural, size } from "./dom.js";
import * as results from "./results.js";

const FILTERS = ["files", "languages", "updated_since", "updated_until"];
const TARGETS = { username: "user", organization: "organization", gist: "gist" };
const gaps = new Map(); // what was not searched, by address and file
let far = ""; // how far the search is
let scheduled = false; // whether the counts are about to be shown
let searched = { gists: 0, files: 0, size_bytes: 0 };

export const isComplete = () => $("outcome").dataset.state === "success";
export const incomplete = () => [...gaps.values()];

/**
 * Show that a search has started; without `continued`, forget the one before. Without a cursor it
 * starts at the beginning: what was found stays, what was missing may be found now.
 */
export function begin(continued, hasCursor) {
  if (!hasCursor) gaps.clear();
  if (!continued) {
    results.clear();
    searched = { gists: 0, files: 0, size_bytes: 0 };
  }
  for (const [key, gap] of gaps) if (!gap.gist) gaps.delete(key); // the search as a whole goes on
  far = "";
  $("outcome").hidden = false;
  $("outcome").dataset.state = "running";
  $("continue").hidden = true;
  $("empty").hidden = true;
  $("tools").hidden = false;
  $("facets").hidden = false;
  $("bar").removeAttribute("value");
  showGaps();
  $("gaps").replaceChildren(...incomplete().map(gapElement));
  $("headline").textContent = "Asking GitHub …";
  $("far").textContent = "";
  $("said").textContent = "Searching";
}

export function addMatch(data) {
  results.add(data);
  showCountsSoon();
}

export function addGap(gap) {
  const key = [gap.gist, gap.file, gap.target, gap.gist ? "" : gap.reason].join(" ");
  if (gaps.has(key)) return;
  gaps.set(key, gap);
  $("gaps").append(gapElement(gap));
  showGaps();
  showCountsSoon();
}

/** Show a target that could not be searched, such as a user that GitHub does not know. */
export function addTarget({ status, code, message, ...target }) {
  const kind = Object.keys(TARGETS).find((name) => name in target);
  if (status !== "error" || !kind) return;
  addGap({ gist: null, file: null, reason: code, message, target: target[kind], kind: TARGETS[kind] });
}

export function showProgress({ gists_done, gists_total, files_done, bytes_done }) {
  if (gists_total === null) $("bar").removeAttribute("value");
  else Object.assign($("bar"), { max: Math.max(1, gists_total), value: gists_total ? gists_done : 1 });
  const gists = gists_total === null ? plural(gists_done, "gist")
    : `${count(gists_done)} of ${plural(gists_total, "gist")}`;
  far = `${gists} · ${plural(files_done, "file")} · ${size(bytes_done)}`;
  if (gists_done || gists_total !== null) showCounts();
}

/** Show the end of a search for `body`. */
export function showEnd({ status, next, elapsed_seconds, searched: read }, body) {
  for (const name of Object.keys(searched)) searched[name] += read[name];
  const seconds = elapsed_seconds < 10 ? elapsed_seconds.toFixed(2) : elapsed_seconds.toFixed(0);
  far = `${plural(searched.files, "file")} in ${plural(searched.gists, "gist")} searched`
    + ` · ${size(searched.size_bytes)} · ${seconds} s`;
  const complete = status === "success" && !gaps.size;
  finish(complete ? "success" : "partial", Boolean(next), complete ? "Done" : "Incomplete");
  if (!results.total() && !next) explainEmpty(body);
}

/** Show that a search was stopped. It can be continued: what was read is in the service's cache. */
export function showStopped() {
  far = [far, "stopped"].filter(Boolean).join(" · ");
  finish("stopped", true, "Stopped");
}

/** Show that a search failed. Results that arrived before stay. */
export function showFailure(resumable) {
  if (results.total() || gaps.size || resumable) finish("failed", resumable, "Failed");
  else $("outcome").hidden = true;
}

function finish(state, resumable, word) {
  Object.assign($("bar"), { max: 1, value: state === "success" ? 1 : 0.999 });
  $("outcome").dataset.state = state;
  $("continue").hidden = !resumable;
  $("tools").hidden = !results.total();
  $("facets").hidden = !results.total();
  showCounts();
  results.finish();
  $("said").textContent = `${word}: ${$("counts").textContent}`;
}

function showCounts() {
  const found = results.total();
  const matches = found ? `${plural(found, "gist")} ${found === 1 ? "matches" : "match"}` : "No gist matches";
  const running = $("outcome").dataset.state === "running";
  const waiting = far ? "No match yet" : "Asking GitHub …";
  const parts = [running && !found ? waiting : matches, missing()];
  $("headline").textContent = parts.filter(Boolean).join(" · ");
  $("far").textContent = far && ` · ${far}`;
}

/** Show the counts in the next frame: thousands of lines can arrive in one. */
function showCountsSoon() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    showCounts();
  });
}

/** How much was not searched, for example "1 gist, 10 files not searched". */
function missing() {
  const things = new Map(["user", "organization", "gist", "file"].map((word) => [word, 0]));
  let unfinished = false;
  for (const { gist, file, kind } of gaps.values()) {
    const word = kind ?? (gist && (file ? "file" : "gist"));
    if (word) things.set(word, things.get(word) + 1);
    else unfinished = true;
  }
  const counted = [...things].filter(([, number]) => number).map(([word, number]) => plural(number, word));
  const parts = counted.length ? [`${counted.join(", ")} not searched`] : [];
  if (unfinished) parts.push("search not finished");
  return parts.join(" · ");
}

function showGaps() {
  $("missing").hidden = !gaps.size;
  if (!gaps.size) $("missing").open = false;
  $("outcome").classList.toggle("incomplete", gaps.size > 0);
}

function gapElement({ gist, file, target, reason, message }) {
  const item = element("li", {}, element("code", { className: "reason" }, reason), " ");
  if (target) item.append(element("strong", {}, target), " ");
  if (gist) item.append(link(gist, {}, file || gist.replace(/^https?:\/\//, "")), " ");
  item.append(message);
  return item;
}

function explainEmpty(body) {
  const filtered = FILTERS.some((name) => body[name]);
  let words = `None of the ${plural(searched.files, "file")} searched contains the pattern.`;
  if (!body.ignore_case && searched.files) words += " Upper and lower case count; “Ignore case” changes that.";
  if (!searched.files) {
    words = filtered ? "No gist or file passes the filters. Change them under Options."
      : searched.gists ? "The gists have no file that can be searched."
        : "There are no public gists to search.";
  }
  $("empty").textContent = words;
  $("empty").hidden = false;
}

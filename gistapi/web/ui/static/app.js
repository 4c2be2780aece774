// The search page: one form, one running search, its results as they come.
// All that comes from elsewhere is set as text, never as HTML.

import { proof } from "./captcha.js";
import { bodyOf, curlOf, fill, isNarrowed, linkOf } from "./query.js";
import { Refusal, search } from "./stream.js";

const $ = (id) => document.getElementById(id);
const form = $("search");
const api = new URL(form.dataset.api, location.href);
const number = new Intl.NumberFormat("en");
const HIGHLIGHT_MS = 2000; // for one line; then the pattern is given up

let running = null; // an AbortController
let highlighter = null;
let found = 0;
let asked = null; // the last request's body
let goOn = null; // where it continues

const plural = (count, word) => `${number.format(count)} ${word}${count === 1 ? "" : "s"}`;

function size(bytes) {
  const units = ["B", "kB", "MB", "GB"];
  let step = 0;
  while (bytes >= 1000 && step < units.length - 1) { bytes /= 1000; step += 1; }
  return `${bytes.toFixed(bytes < 10 && step ? 1 : 0)} ${units[step]}`;
}

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** Only web addresses become links, whatever a listing says. */
function link(anchor, address) {
  if (/^https?:\/\//.test(address)) anchor.href = address;
}

/* Faults */

function showFault(...parts) {
  $("fault").replaceChildren(...parts);
  $("fault").hidden = false;
}

function clearFault() {
  $("fault").hidden = true;
  $("fault").replaceChildren();
  for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
}

/** The pattern with the place of the fault marked; positions count characters. */
function markedPattern(pattern, position) {
  const characters = [...pattern];
  const at = Math.min(position, characters.length);
  return element("pre", {},
    characters.slice(0, at).join(""),
    element("mark", {}, characters[at] ?? " "),
    characters.slice(at + 1).join(""));
}

function showRefusal(refusal, body) {
  const parts = [];
  for (const { field, message, position } of refusal.errors) {
    const input = form.elements[field.split(".")[0]];
    input?.setAttribute?.("aria-invalid", "true");
    if (position === undefined) continue;
    parts.push(markedPattern(body.pattern, position));
    const units = [...body.pattern].slice(0, position).join("").length;
    input.focus();
    input.setSelectionRange(units, units + 1);
    parts.push(element("p", {}, `${message} (at character ${position + 1})`));
  }
  if (!parts.length) parts.push(element("p", {}, refusal.message));
  const wait = Number(refusal.retryAfter);
  if (wait) parts.push(element("p", { className: "hint" }, `Try again in ${plural(wait, "second")}.`));
  if (refusal.code === "internal_error") {
    parts.push(element("p", { className: "hint" }, `Request ${refusal.requestId}`));
  }
  showFault(...parts);
  if (["unauthorized", "captcha_required", "rate_limited"].includes(refusal.code)) askForKey();
}

function askForKey() {
  $("key").hidden = false;
  $("key-value").focus();
}

/* Results */

function startHighlighter(query) {
  highlighter?.worker.terminate();
  const worker = new Worker(new URL("highlight.js", import.meta.url));
  const waiting = new Map();
  let started = false; // how long the browser takes to start a worker says nothing of the pattern
  let timer = null;
  const watch = () => {
    clearTimeout(timer);
    if (started && waiting.size) timer = setTimeout(() => worker.terminate(), HIGHLIGHT_MS);
  };
  worker.addEventListener("message", ({ data }) => {
    if (data.started) {
      started = true;
    } else {
      mark(waiting.get(data.id), data.start, data.end);
      waiting.delete(data.id);
    }
    watch();
  });
  worker.postMessage({ query });
  let ready = 0;
  highlighter = {
    worker,
    mark(code, match) {
      ready += 1;
      waiting.set(ready, code);
      worker.postMessage({ id: ready, text: match.text, column: match.column });
      if (waiting.size === 1) watch();
    },
  };
}

function mark(code, start, end) {
  const text = code.textContent;
  if (end <= start) return;
  code.replaceChildren(text.slice(0, start), element("mark", {}, text.slice(start, end)), text.slice(end));
}

function showMatch(match) {
  const item = $("match").content.cloneNode(true);
  const gist = item.querySelector(".gist");
  gist.textContent = match.description || match.file;
  link(gist, match.gist);
  const updated = new Date(match.updated_at);
  const day = updated.toLocaleDateString("en", { dateStyle: "medium", timeZone: "UTC" });
  item.querySelector(".meta").append(
    [match.language, "updated "].filter(Boolean).join(" · "),
    element("time", { dateTime: match.updated_at }, day));
  item.querySelector(".file").textContent = match.file;
  item.querySelector(".number").textContent = `line ${number.format(match.line)}`;
  link(item.querySelector(".line"), match.url);
  const code = item.querySelector("code");
  code.textContent = match.text;
  $("matches").append(item);
  highlighter.mark(code, match);
}

function showGap({ gist, file, reason, message }) {
  const item = element("li", {}, element("code", { className: "reason" }, reason), " ");
  if (gist) {
    const anchor = element("a", {}, file || gist.replace(/^https?:\/\//, ""));
    link(anchor, gist);
    item.append(anchor, " ");
  }
  item.append(message);
  $("gaps").append(item);
  const count = $("gaps").childElementCount;
  $("missing-title").textContent = count === 1 ? "Not searched" : `Not searched: ${number.format(count)}`;
  $("missing").hidden = false;
}

function showProgress({ gists_done, gists_total, files_done, bytes_done }) {
  const bar = $("bar");
  if (gists_total === null) bar.removeAttribute("value");
  else Object.assign(bar, { max: Math.max(1, gists_total), value: gists_total ? gists_done : 1 });
  const gists = gists_total === null ? plural(gists_done, "gist")
    : `${number.format(gists_done)} of ${plural(gists_total, "gist")}`;
  $("counts").dataset.far = ` · ${gists} · ${plural(files_done, "file")} · ${size(bytes_done)}`;
  showCounts();
}

function showCounts(words = "") {
  $("counts").textContent = `${plural(found, "gist")} ${found === 1 ? "matches" : "match"}`
    + ($("counts").dataset.far ?? "") + words;
}

function showEnd({ status, next, elapsed_seconds }) {
  Object.assign($("bar"), { max: 1, value: 1 });
  goOn = next ?? null;
  $("continue").hidden = !next;
  if (!next) delete $("counts").dataset.far; // the last of them was told before the end
  const seconds = elapsed_seconds < 10 ? elapsed_seconds.toFixed(2) : elapsed_seconds.toFixed(0);
  showCounts(` · ${seconds} s`);
  if (!found && status === "success") $("counts").textContent = `No gist matches · ${seconds} s`;
  $("said").textContent = status === "success" ? `Done: ${$("counts").textContent}`
    : `Incomplete: ${$("counts").textContent}`;
  $("outcome").dataset.state = status;
}

/* Searching */

function prepare() {
  found = 0;
  $("matches").replaceChildren();
  $("gaps").replaceChildren();
  $("missing").hidden = true;
  delete $("counts").dataset.far;
}

function setRunning(controller) {
  const focused = [$("go"), $("stop")].includes(document.activeElement);
  running = controller;
  $("go").hidden = Boolean(controller);
  $("stop").hidden = !controller;
  if (focused) (controller ? $("stop") : $("go")).focus();
}

function showRepeat(body) {
  const address = linkOf(form);
  Object.assign($("link"), { href: address.href, textContent: address.href });
  $("curl").textContent = curlOf(api, body, Boolean($("key-value").value || $("captcha")));
  return address;
}

async function run(body) {
  running?.abort();
  const controller = new AbortController();
  asked = body;
  clearFault();
  setRunning(controller);
  $("continue").hidden = true;
  $("bar").removeAttribute("value");
  $("outcome").dataset.state = "running";
  $("counts").textContent = "Asking GitHub …";
  $("said").textContent = "Searching";
  try {
    startHighlighter(body);
    const headers = $("key-value").value ? { Authorization: `Bearer ${$("key-value").value}` } : await proof();
    controller.signal.throwIfAborted();
    await follow(search(api, body, headers, controller.signal));
  } catch (error) {
    if (controller === running) fail(error, body);
  } finally {
    if (controller === running) setRunning(null);
  }
}

async function follow(lines) {
  let ended = false;
  for await (const { type, data } of lines) {
    $("outcome").hidden = false;
    if (type === "match") { found += 1; showMatch(data); showCounts(); }
    else if (type === "progress") showProgress(data);
    else if (type === "incomplete") showGap(data);
    else if (type === "error") throw new Refusal(data);
    else if (type === "end") { ended = true; showEnd(data); }
  }
  if (!ended) throw new Error("The connection broke off.");
}

function fail(error, body) {
  Object.assign($("bar"), { max: 1, value: 0 });
  $("outcome").dataset.state = "failed";
  if (error.name === "AbortError") {
    showCounts(" · stopped");
    $("said").textContent = "Stopped";
    $("outcome").hidden = false;
  } else if (error instanceof Refusal) {
    showRefusal(error, body);
  } else {
    showFault(element("p", {}, error instanceof TypeError ? "The service can't be reached." : error.message));
  }
}

function submit({ keepAddress = false } = {}) {
  const missing = ["username", "pattern"].map((name) => form.elements[name]).find((input) => !input.value);
  if (missing) {
    missing.focus();
    return;
  }
  const body = bodyOf(form);
  const address = showRepeat(body);
  if (!keepAddress && address.href !== location.href) history.pushState(null, "", address);
  document.title = `${body.pattern} · ${body.username} · Gist search`;
  prepare();
  $("outcome").hidden = true;
  run(body);
}

/* Wiring */

form.addEventListener("submit", (event) => { event.preventDefault(); submit(); });
$("stop").addEventListener("click", () => running?.abort());
$("continue").addEventListener("click", () => {
  $("gaps").replaceChildren();
  $("missing").hidden = true;
  run({ ...asked, cursor: goOn });
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches("input, textarea, altcha-widget");
  if (event.key === "Escape") running?.abort();
  else if (event.key === "/" && !typing) { form.elements.pattern.select(); event.preventDefault(); }
  else if (event.key === "ArrowDown" || event.key === "ArrowUp") step(event);
});

/** Arrows walk over the results, from the pattern down and back. */
function step(event) {
  const stops = [form.elements.pattern, ...document.querySelectorAll("#matches .line")];
  const at = stops.indexOf(document.activeElement);
  const next = stops[at + (event.key === "ArrowDown" ? 1 : -1)];
  if (at < 0 || !next) return;
  event.preventDefault();
  next.focus();
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    const source = $(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
      $("said").textContent = "Copied";
      const words = button.textContent;
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = words; }, 1500);
    } catch {
      getSelection().selectAllChildren(source); // no clipboard outside a secure context
    }
  });
}

function load() {
  const holdsSearch = fill(form, new URLSearchParams(location.search));
  $("more").open = isNarrowed(form);
  if (holdsSearch) {
    submit({ keepAddress: true });
  } else {
    running?.abort();
    $("outcome").hidden = true;
  }
}

addEventListener("popstate", load);
load();

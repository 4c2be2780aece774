// The search page: one form, one running search, its results as they arrive.

import { proof } from "./captcha.js";
import { $, count, element, link, plural, size } from "./dom.js";
import { clearFault, showFault, showRefusal } from "./faults.js";
import { bodyOf, curlOf, fill, isNarrowed, linkOf, requestOf } from "./query.js";
import * as results from "./results.js";
import { Refusal, search } from "./stream.js";

const form = $("search");
const api = new URL(form.dataset.api, location.href);

let running = null; // an AbortController
let asked = null; // the last request's body
let goOn = null; // where it continues

/* Results */

function showGap({ gist, file, reason, message }) {
  const item = element("li", {}, element("code", { className: "reason" }, reason), " ");
  if (gist) {
    item.append(link(gist, {}, file || gist.replace(/^https?:\/\//, "")), " ");
  }
  item.append(message);
  $("gaps").append(item);
  const gaps = $("gaps").childElementCount;
  $("missing-title").textContent = gaps === 1 ? "Not searched" : `Not searched: ${count(gaps)}`;
  $("missing").hidden = false;
}

function showProgress({ gists_done, gists_total, files_done, bytes_done }) {
  const bar = $("bar");
  if (gists_total === null) bar.removeAttribute("value");
  else Object.assign(bar, { max: Math.max(1, gists_total), value: gists_total ? gists_done : 1 });
  const gists = gists_total === null ? plural(gists_done, "gist")
    : `${count(gists_done)} of ${plural(gists_total, "gist")}`;
  $("counts").dataset.far = ` · ${gists} · ${plural(files_done, "file")} · ${size(bytes_done)}`;
  showCounts();
}

function showCounts(words = "") {
  const found = results.total();
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
  if (!results.total() && status === "success") $("counts").textContent = `No gist matches · ${seconds} s`;
  $("said").textContent = status === "success" ? `Done: ${$("counts").textContent}`
    : `Incomplete: ${$("counts").textContent}`;
  $("outcome").dataset.state = status;
}

/* Searching */

function prepare() {
  results.clear();
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
    const headers = $("key-value").value ? { Authorization: `Bearer ${$("key-value").value}` } : await proof();
    controller.signal.throwIfAborted();
    await follow(search(api, requestOf(body), headers, controller.signal));
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
    if (type === "match") { results.add(data); showCounts(); }
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
  const stops = [form.elements.pattern, ...document.querySelectorAll("#matches a.line")];
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

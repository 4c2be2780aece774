// The search page: one form, one running search.

import { proof } from "./captcha.js";
import { $, element } from "./dom.js";
import { addressesOf, csvOf, download, jsonOf } from "./exports.js";
import { clearFault, refuse, showFault, showRefusal } from "./faults.js";
import * as outcome from "./outcome.js";
import { bodyOf, curlOf, fill, isOwn, linkOf, optionsOf, requestOf, targetsOf } from "./query.js";
import * as results from "./results.js";
import { Refusal, search } from "./stream.js";

const form = $("search");
const api = new URL(form.dataset.api, location.href);

let running = null; // an AbortController
let asked = null; // the last search's body
let cursor = null; // where it continues, if that is known

/* Searching */

function setRunning(controller) {
  const focused = [$("go"), $("stop"), $("continue")].includes(document.activeElement);
  running = controller;
  $("go").hidden = Boolean(controller);
  $("stop").hidden = !controller;
  if (focused) (controller ? $("stop") : $("go")).focus();
}

function cancel() {
  const controller = running;
  setRunning(null);
  controller?.abort();
}

/** Search; with `continued`, from the cursor on. */
async function run(body, { continued = false } = {}) {
  cancel();
  const controller = new AbortController();
  asked = body;
  if (!continued) cursor = null;
  clearFault();
  $("waits").hidden = true;
  outcome.begin(continued, Boolean(cursor));
  setRunning(controller);
  try {
    const headers = $("key-value").value ? { Authorization: `Bearer ${$("key-value").value}` } : await proof();
    if (isOwn(body)) headers["X-GitHub-Token"] = $("token-value").value;
    controller.signal.throwIfAborted();
    const request = requestOf(cursor ? { ...body, cursor } : body);
    await follow(search(api, request, headers, controller.signal), body);
  } catch (error) {
    if (controller === running) fail(error, body);
  } finally {
    if (controller === running) setRunning(null);
  }
}

async function follow(lines, body) {
  let ended = false;
  for await (const { type, data } of lines) {
    if (type === "match") outcome.addMatch(data);
    else if (type === "progress") outcome.showProgress(data);
    else if (type === "incomplete") outcome.addGap(data);
    else if (type === "target") outcome.addTarget(data);
    else if (type === "error") throw new Refusal(data);
    else if (type === "end") {
      ended = true;
      cursor = data.next ?? null;
      outcome.showEnd(data, body);
    }
  }
  if (!ended) throw new Error("The connection broke off.");
}

function fail(error, body) {
  if (error.name === "AbortError") {
    outcome.showStopped();
    return;
  }
  outcome.showFailure(Boolean(cursor));
  if (error instanceof Refusal) showRefusal(error, body);
  else showFault(element("p", {}, error instanceof TypeError ? "The service can't be reached." : error.message));
}

/** Search by the form; returns whether it is complete. */
function submit({ keepAddress = false } = {}) {
  const { username, pattern } = form.elements;
  const body = bodyOf(form);
  clearFault();
  if (!username.value.trim() && !isOwn(body)) {
    return refuse(username, "Enter a GitHub user, org:name for an organization, or the address of a gist.");
  }
  if (targetsOf(username.value).organizations.length > 1) {
    return refuse(username, "A search takes one organization. Search the others one by one.");
  }
  if (!body.pattern) return refuse(pattern, "Enter a pattern to search for.");
  if (isOwn(body) && !$("token-value").value) {
    return refuse($("token-value"), "Your own gists and stars need your GitHub token. Enter it below.");
  }
  const address = linkOf(form);
  if (!keepAddress && address.href !== location.href) history.pushState(null, "", address);
  Object.assign($("link"), { href: address.href, textContent: address.href });
  $("curl").textContent = curlOf(api, body, Boolean($("key-value").value || $("captcha")));
  document.title = [body.pattern, username.value.trim(), "Gist search"].filter(Boolean).join(" · ");
  document.body.classList.add("searched");
  $("more").open = false;
  run(body);
  return true;
}

function stop() {
  running?.abort();
}

/* Wiring */

form.addEventListener("submit", (event) => { event.preventDefault(); submit(); });
form.addEventListener("change", showOptions);
$("stop").addEventListener("click", stop);
$("continue").addEventListener("click", () => run(asked, { continued: true }));
$("sort").addEventListener("change", () => results.sortBy($("sort").value));
$("json").addEventListener("click", () => {
  const state = { complete: outcome.isComplete(), incomplete: outcome.incomplete(), cursor };
  download("gists.json", "application/json", jsonOf(asked, results.shown(), state));
});
$("csv").addEventListener("click", () => download("gists.csv", "text/csv", csvOf(results.shown())));
$("addresses").addEventListener("click", () => copy($("addresses"), addressesOf(results.shown()), $("matches")));
for (const button of document.querySelectorAll("[data-copy]")) {
  const source = $(button.dataset.copy);
  button.addEventListener("click", () => copy(button, source.textContent, source));
}

/** Copy a text; without a clipboard (outside a secure context), select `source`. */
async function copy(button, text, source) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    getSelection().selectAllChildren(source);
    return;
  }
  $("said").textContent = "Copied";
  button.classList.add("copied");
  setTimeout(() => button.classList.remove("copied"), 1500);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches("input, textarea, select, altcha-widget");
  if (event.key === "Escape") stop();
  else if (event.key === "/" && !typing) { form.elements.pattern.select(); event.preventDefault(); }
  else if (event.key === "ArrowDown" || event.key === "ArrowUp") step(event);
});

/** Move the focus over the matching lines, from the pattern down and back. */
function step(event) {
  const lines = [...document.querySelectorAll("#matches a.line[href]")].filter((line) => !line.closest("[hidden]"));
  const stops = [form.elements.pattern, ...lines];
  const at = stops.indexOf(document.activeElement);
  const next = stops[at + (event.key === "ArrowDown" ? 1 : -1)];
  if (at < 0 || !next) return;
  event.preventDefault();
  next.focus();
}

function showOptions() {
  if ($("token")) $("token").hidden = !isOwn(bodyOf(form));
  $("in-use").textContent = optionsOf(form).map((option) => ` · ${option}`).join("");
}

/** Show the search in the address, and run it unless searches are limited. */
function load() {
  const holdsSearch = fill(form, new URLSearchParams(location.search));
  showOptions();
  const waits = holdsSearch && form.dataset.waits !== undefined;
  cancel();
  clearFault();
  $("outcome").hidden = true;
  $("waits").hidden = !waits;
  if (waits) $("go").focus();
  else if (holdsSearch && submit({ keepAddress: true })) return;
  $("more").open = true;
  document.body.classList.remove("searched");
  document.title = "Gist search";
}

addEventListener("popstate", load);
load();

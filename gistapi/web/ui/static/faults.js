// Errors of a search, shown next to the form.

import { $, element, plural } from "./dom.js";

const form = $("search");
const TARGETS = ["usernames", "organization", "gists"]; // fields of the request that one input holds

export function showFault(...parts) {
  $("fault").replaceChildren(...parts);
  $("fault").hidden = false;
}

/** Show what is wrong with an input beside it; returns false. */
export function refuse(input, words) {
  input.setAttribute("aria-invalid", "true");
  input.focus();
  showFault(element("p", {}, words));
  return false;
}

export function clearFault() {
  $("fault").hidden = true;
  $("fault").replaceChildren();
  for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
}

/** The pattern with the position of the fault marked; positions count characters. */
function markedPattern(pattern, position) {
  const characters = [...pattern];
  const at = Math.min(position, characters.length);
  return element("pre", {},
    characters.slice(0, at).join(""),
    element("mark", {}, characters[at] ?? " "),
    characters.slice(at + 1).join(""));
}

/** The service's message, unless it is about headers. */
function wordsOf({ code, message }) {
  return code === "unauthorized" && !$("key-value").value ? "This service needs a key. Enter it below." : message;
}

function inputOf(field) {
  const name = field.split(".")[0];
  return form.elements[TARGETS.includes(name) ? "username" : name];
}

/** Show an error answer; `body` is the request that it answers. */
export function showRefusal(refusal, body) {
  const parts = [];
  for (const { field, message, position } of refusal.errors) {
    const input = inputOf(field);
    input?.setAttribute?.("aria-invalid", "true");
    if (position === undefined) {
      const label = input?.labels?.[0]?.textContent.trim();
      parts.push(element("p", {}, label ? `${label}: ${message}` : `${field}: ${message}`));
      input?.focus?.();
      continue;
    }
    parts.push(markedPattern(body.pattern, position));
    const units = [...body.pattern].slice(0, position).join("").length;
    input.focus();
    input.setSelectionRange(units, units + 1);
    parts.push(element("p", {}, `${message} (at character ${position + 1})`));
  }
  if (!parts.length) parts.push(element("p", {}, wordsOf(refusal)));
  const wait = Number(refusal.retryAfter);
  if (wait) parts.push(element("p", { className: "hint" }, `Try again in ${plural(wait, "second")}.`));
  if (refusal.code === "internal_error") {
    parts.push(element("p", { className: "hint" }, `Request ${refusal.requestId}`));
  }
  showFault(...parts);
  const keyHelps = form.dataset.keys !== undefined && ["captcha_required", "rate_limited"].includes(refusal.code);
  if (refusal.code === "unauthorized" || keyHelps) askForKey();
}

function askForKey() {
  $("key").hidden = false;
  $("key-value").focus();
}

// One search in its three forms: the form's fields, the request's body, and a link or a command.

const SWITCHES = ["ignore_case", "dotall", "fixed_string", "word", "names", "mine", "starred"];
const LISTS = ["files", "languages"];
const DAYS = { updated_since: "T00:00:00Z", updated_until: "T23:59:59Z" };
const NARROWING = [...LISTS, ...Object.keys(DAYS)];
const SHOWN = { max_count: 20, context: 1 }; // matches of a file, and lines around each
const GIST = /gist\.github(usercontent)?\.com|^([0-9a-f]{20}|[0-9a-f]{32})$/i;
const ORGANIZATION = /^org:|^(https?:\/\/)?github\.com\/orgs\//i;
const USER = /^@|^(https?:\/\/)?github\.com\//i;

const words = (text) => text.split(",").map((word) => word.trim()).filter(Boolean);

/** Where to search: users, `org:name`, and gists by address or ID, separated by commas or spaces. */
export function targetsOf(text) {
  const targets = { usernames: [], organizations: [], gists: [] };
  for (const word of text.split(/[\s,]+/).filter(Boolean)) {
    if (GIST.test(word)) targets.gists.push(word);
    else if (ORGANIZATION.test(word)) targets.organizations.push(word.replace(ORGANIZATION, "").split("/")[0]);
    else targets.usernames.push(word.replace(USER, "").replace(/\/$/, ""));
  }
  return targets;
}

/** The request's fields for them. A request takes one organization. */
function where(text) {
  const { usernames, organizations, gists } = targetsOf(text);
  const fields = {};
  if (usernames.length === 1) fields.username = usernames[0];
  else if (usernames.length) fields.usernames = usernames;
  if (organizations.length) fields.organization = organizations[0];
  if (gists.length) fields.gists = gists;
  return fields;
}

/** The request body for the form; options that are off are omitted. */
export function bodyOf(form) {
  const body = { ...where(form.elements.username.value), pattern: form.elements.pattern.value };
  for (const name of SWITCHES) if (form.elements[name]?.checked) body[name] = true;
  if (!form.elements.whole_text.checked) body.multiline = true;
  for (const name of LISTS) {
    const list = words(form.elements[name].value);
    if (list.length) body[name] = list;
  }
  for (const [name, time] of Object.entries(DAYS)) {
    if (form.elements[name].value) body[name] = form.elements[name].value + time;
  }
  return body;
}

/** The request that the page sends: the search, and how much of each file it shows. */
export function requestOf(body) {
  return { ...body, ...SHOWN };
}

/** This page's address with the search in it. */
export function linkOf(form) {
  const link = new URL(location.pathname, location.origin);
  for (const [name, value] of new FormData(form)) {
    if (name === "whole_text") link.searchParams.set("multiline", "0");
    else if (value) link.searchParams.set(name, value === "on" ? "1" : value);
  }
  return link;
}

/** Fill the form from an address, except for secrets; returns whether it has a search. */
export function fill(form, params) {
  for (const name of ["username", "pattern", ...NARROWING]) {
    form.elements[name].value = params.get(name) ?? "";
  }
  for (const name of SWITCHES) if (form.elements[name]) form.elements[name].checked = isOn(params.get(name));
  form.elements.whole_text.checked = params.has("multiline") && !isOn(params.get("multiline"));
  return ["username", "mine", "starred"].some((name) => params.get(name)) && params.has("pattern");
}

const isOn = (value) => value !== null && !["0", "false"].includes(value);

/** The options in use, in the words of the form. */
export function optionsOf(form) {
  const switches = [...form.querySelectorAll(".options :checked")].map((input) => input.labels[0].textContent);
  const fields = NARROWING.map((name) => form.elements[name]).filter((input) => input.value)
    .map((input) => `${input.labels[0].textContent.trim()} ${input.value}`);
  return [...switches, ...fields].map((text) => text.trim());
}

/** Whether the search needs the user's GitHub token. */
export const isOwn = (body) => Boolean(body.mine || body.starred);

/** The equivalent shell command. */
export function curlOf(api, body, keyed) {
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const headers = ["-H 'Content-Type: application/json'"];
  if (keyed) headers.push('-H "Authorization: Bearer $KEY"');
  if (isOwn(body)) headers.push('-H "X-GitHub-Token: $GITHUB_TOKEN"');
  return [
    `curl -s ${quoted(api.href)}`,
    ...headers,
    `-d ${quoted(JSON.stringify(requestOf(body)))}`,
  ].join(" \\\n  ");
}

// One search in its three forms: the form's fields, the request's body, and a link or a command.

const SWITCHES = ["ignore_case", "multiline", "dotall", "fixed_string", "word"];
const LISTS = ["files", "languages"];
const DAYS = { updated_since: "T00:00:00Z", updated_until: "T23:59:59Z" };
const SHOWN = { max_count: 20, context: 1 }; // matches of a file, and lines around each
const NARROWING = [...LISTS, ...Object.keys(DAYS)];

/** The request's body for what the form says; options that are off are left out. */
export function bodyOf(form) {
  const body = { username: form.elements.username.value.trim(), pattern: form.elements.pattern.value };
  for (const name of SWITCHES) if (form.elements[name].checked) body[name] = true;
  for (const name of LISTS) {
    const words = form.elements[name].value.split(",").map((word) => word.trim()).filter(Boolean);
    if (words.length) body[name] = words;
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
    if (value) link.searchParams.set(name, value === "on" ? "1" : value);
  }
  return link;
}

/** Fill the form from an address; whether it holds a search. */
export function fill(form, params) {
  form.reset();
  for (const name of ["username", "pattern", ...NARROWING]) {
    form.elements[name].value = params.get(name) ?? "";
  }
  for (const name of SWITCHES) form.elements[name].checked = params.has(name);
  return params.has("username") && params.has("pattern");
}

/** Whether one of the fields that start out folded away is filled. */
export function isNarrowed(form) {
  return NARROWING.some((name) => form.elements[name].value);
}

/** The shell command that asks the same. */
export function curlOf(api, body, keyed) {
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const headers = ["-H 'Content-Type: application/json'"];
  if (keyed) headers.push('-H "Authorization: Bearer $KEY"');
  return [
    `curl -s ${quoted(api.href)}`,
    ...headers,
    `-d ${quoted(JSON.stringify(requestOf(body)))}`,
  ].join(" \\\n  ");
}

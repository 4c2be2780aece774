// The results as text to copy and as files to download.

import { element } from "./dom.js";

const COLUMNS = ["gist", "owner", "description", "updated_at", "file", "language", "line", "column", "text", "url"];

/** The addresses of these gists, one a line. */
export const addressesOf = (gists) => gists.map(({ gist }) => `${gist}\n`).join("");

/** The search and its answer, in the service's shape; `cursor` is null if nothing is left. */
export function jsonOf(body, gists, { complete, incomplete, cursor }) {
  const answer = {
    status: complete ? "success" : "partial",
    ...body,
    matches: gists.map(({ gist }) => gist),
    details: gists,
    incomplete,
    ...(cursor && { next: cursor }),
  };
  return `${JSON.stringify(answer, null, 2)}\n`;
}

/** One row for each match (RFC 4180), with the columns of the service's own CSV. */
export function csvOf(gists) {
  const rows = gists.flatMap((gist) => gist.files.flatMap((file) =>
    file.matches.map((match) => ({ ...gist, ...file, ...match }))));
  const lines = rows.map((row) => COLUMNS.map((name) => cell(row[name])).join(","));
  return [COLUMNS.join(","), ...lines, ""].join("\r\n");
}

/** A cell, quoted if necessary. Text that a spreadsheet would run as a formula is escaped. */
function cell(value) {
  let text = String(value ?? "");
  if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Let the browser save a text under this name. */
export function download(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

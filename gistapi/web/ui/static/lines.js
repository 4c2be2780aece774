// The lines of one file, as grep shows them: numbered, with context, the matches marked.

import { colour } from "./colours.js";
import { count, element, link, plural } from "./dom.js";

/** The file's lines in order. Lines that several matches share appear once. */
export function rowsOf(matches) {
  const rows = new Map();
  for (const match of matches) {
    const last = match.end_line - (match.end_column === 1 && match.end_line > match.line ? 1 : 0);
    const lines = match.text.split("\n").slice(0, last - match.line + 1);
    let from = 0; // offset of the line in the text, in characters
    lines.forEach((text, index) => {
      const characters = [...text].length;
      const mark = [Math.max(match.start - from, 0), Math.min(match.end - from, characters)];
      addMatch(rows, { line: match.line + index, text, url: match.url, marks: [mark] }, match.column);
      from += characters + 1;
    });
    const context = (texts, first) => texts?.forEach((text, index) => {
      if (!rows.has(`${first + index}`)) rows.set(`${first + index}`, { line: first + index, text, marks: [] });
    });
    context(match.before, match.line - (match.before?.length ?? 0));
    context(match.after, last + 1);
  }
  return [...rows.values()].sort((a, b) => a.line - b.line);
}

/** Add a line to `rows`. A long line is cut around each match, so it can have several texts. */
function addMatch(rows, row, column) {
  const key = `${row.line}`;
  const known = rows.get(key);
  if (!known?.url) rows.set(key, row);
  else if (known.text === row.text) known.marks.push(...row.marks);
  else rows.set(`${key}:${column}`, row);
}

/** The text with its marks. Offsets count characters, not UTF-16 units. */
export function marked(text, marks) {
  const characters = [...text];
  const parts = [];
  let at = 0;
  for (const [start, end] of marks) {
    if (end <= start || start < at) continue;
    parts.push(characters.slice(at, start).join(""));
    parts.push(element("mark", {}, characters.slice(start, end).join("")));
    at = end;
  }
  parts.push(characters.slice(at).join(""));
  return parts;
}

/** One file of a gist with its matching lines. */
export function fileElement(gist, { file, language, more, matches }) {
  const name = file ?? "description";
  const part = element("section", { className: "part" },
    element("h3", {},
      link(matches[0]?.url ?? gist, { className: "file" }, name),
      element("span", { className: "language" }, language ?? "")));
  let previous = null;
  let together = []; // the code of lines that follow each other
  for (const { line, text, url, marks } of rowsOf(matches)) {
    const row = url ? link(url, { className: "line" }) : element("div", { className: "line context" });
    const code = element("code", {}, ...marked(text, marks));
    if (previous !== null && line > previous + 1) {
      row.classList.add("gap");
      colour(together, language);
      together = [];
    }
    row.append(element("span", { className: "number" }, count(line)), code);
    together.push(code);
    part.append(row);
    previous = line;
  }
  colour(together, language);
  if (more) part.append(element("p", { className: "further" }, `${plural(matches.length, "match", "matches")} shown, more in this file`));
  return part;
}

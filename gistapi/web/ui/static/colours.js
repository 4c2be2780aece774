// Quiet colours for code, by highlight.js. Ranges of the text get them: the page's elements stay as
// they are, and nothing that a stranger wrote becomes HTML of the page.

const LANGUAGES = { shell: "bash", "objective-c": "objectivec", vue: "xml" };
const KINDS = {
  keyword: "keyword", built_in: "keyword", literal: "keyword", type: "keyword", name: "keyword", "selector-tag": "keyword",
  string: "string", regexp: "string", comment: "comment", quote: "comment", number: "number",
};
const MAX_CHARACTERS = 20_000; // of lines that follow each other: a file of one line can be huge

const highlights = new Map(); // kind → Highlight
if (globalThis.CSS?.highlights) {
  for (const kind of new Set(Object.values(KINDS))) {
    highlights.set(kind, new Highlight());
    CSS.highlights.set(kind, highlights.get(kind));
  }
}
let library = null; // loaded with the first code

export function clear() {
  for (const highlight of highlights.values()) highlight.clear();
}

/** Colour `elements`, lines that follow each other, once the library is there; `language` is GitHub's name. */
export async function colour(elements, language) {
  if (!language || !highlights.size) return;
  library ??= import("./highlight/highlight.min.js").catch(() => null); // without it there are no colours
  const highlighter = (await library)?.default;
  const given = language.toLowerCase();
  const name = LANGUAGES[given] ?? given;
  if (!highlighter?.getLanguage(name) || !elements[0]?.isConnected) return;
  // An HTML parser changes returns and drops NUL.
  const text = elements.map((line) => line.textContent).join("\n").replace(/[\r\0]/g, " ");
  if (text.length > MAX_CHARACTERS) return;
  const pieces = piecesOf(elements);
  for (const { kind, from, to } of tokensOf(highlighter.highlight(text, { language: name, ignoreIllegals: true }).value)) {
    for (const piece of pieces) {
      const start = Math.max(from, piece.from);
      const end = Math.min(to, piece.from + piece.node.data.length);
      if (start < end) highlights.get(kind).add(rangeOf(piece, start, end));
    }
  }
}

function rangeOf({ node, from }, start, end) {
  return new StaticRange({ startContainer: node, startOffset: start - from, endContainer: node, endOffset: end - from });
}

/** The texts of the lines with their offsets in the whole, without what is marked. */
function piecesOf(elements) {
  const pieces = [];
  let from = 0;
  for (const line of elements) {
    for (const child of line.childNodes) {
      if (child.nodeType === Node.TEXT_NODE) pieces.push({ node: child, from });
      from += child.textContent.length;
    }
    from += 1;
  }
  return pieces;
}

/** The spans of the library's answer, as offsets in the text. The parsed document is never shown. */
function* tokensOf(html) {
  const parsed = new DOMParser().parseFromString(`<div>${html}</div>`, "text/html");
  const walker = parsed.createTreeWalker(parsed.body.firstChild, NodeFilter.SHOW_TEXT);
  let from = 0;
  while (walker.nextNode()) {
    const { data, parentElement } = walker.currentNode;
    const kind = KINDS[parentElement.classList[0]?.replace("hljs-", "")];
    if (kind) yield { kind, from, to: from + data.length };
    from += data.length;
  }
}

// Finds how far a match reaches, in a worker: a pattern that backtracks without end can be ended.
// The service says where a match begins. The browser's regular expressions are not Python's, so
// what they find is shown only when it begins at that very place.

const SHOWN = 300; // characters of a line in an answer; beyond, it is cut 100 before the match
const LEAD = 100;

/** The pattern as the browser's engine has it; null where it has no such thing. */
function translate({ pattern, ignore_case, multiline, dotall, fixed_string, word }) {
  let flags = "y" + (ignore_case ? "i" : "") + (multiline ? "m" : "") + (dotall ? "s" : "");
  let source = pattern;
  if (fixed_string) {
    source = source.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
  } else {
    const inline = /^\(\?([aimsu]+)\)/.exec(source);
    if (inline) {
      source = source.slice(inline[0].length);
      for (const flag of inline[1]) if ("ims".includes(flag) && !flags.includes(flag)) flags += flag;
    }
    source = source.replace(/\(\?P</g, "(?<").replace(/\(\?P=(\w+)\)/g, "\\k<$1>");
  }
  if (word) source = `(?<!\\w)(?:${source})(?!\\w)`;
  for (const unicode of ["u", ""]) {
    try {
      return new RegExp(source, flags + unicode);
    } catch {
      // Python takes escapes that the strict mode refuses.
    }
  }
  return null;
}

let expression = null;

addEventListener("message", ({ data }) => {
  if (data.query) {
    expression = translate(data.query);
    postMessage({ started: true });
    return;
  }
  const characters = [...data.text];
  const before = data.column - 1;
  const start = characters.length < SHOWN ? before : Math.min(before, LEAD);
  const at = characters.slice(0, start).join("").length;
  let end = at;
  if (expression) {
    expression.lastIndex = at;
    if (expression.test(data.text)) end = expression.lastIndex;
  }
  postMessage({ id: data.id, start: at, end });
});

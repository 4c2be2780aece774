// The captcha: before a search without a key, the browser does some work.

const widget = document.querySelector("altcha-widget");

if (widget) {
  globalThis.$altcha.algorithms.set("PBKDF2/SHA-256",
    () => new Worker(new URL("altcha/pbkdf2.js", import.meta.url)));
}

/** The headers that prove the work, one challenge for each search; none when no captcha is asked. */
export async function proof() {
  if (!widget) return {};
  widget.reset();
  const solved = await widget.verify({ minDuration: 0 });
  if (!solved) throw new Error("The captcha could not be solved. Try again, on https.");
  return { "X-Captcha": solved.payload };
}

// The matching gists: shown as they arrive.

import { $, element, link } from "./dom.js";
import { fileElement } from "./lines.js";

const found = new Map(); // address of a gist → { data, item }

export const total = () => found.size;

export function clear() {
  found.clear();
  $("matches").replaceChildren();
}

/** Show a gist. A search that is continued can send a gist again; it is shown once. */
export function add(data) {
  if (found.has(data.gist)) return;
  const item = gistElement(data);
  found.set(data.gist, { data, item });
  $("matches").append(item);
}

function gistElement({ gist, owner, description, updated_at, files }) {
  const day = new Date(updated_at).toLocaleDateString("en", { dateStyle: "medium", timeZone: "UTC" });
  const title = description || files[0]?.file || gist.replace(/^https?:\/\//, "");
  return element("li", { className: "match" },
    element("header", {},
      element("h2", {}, link(gist, { className: "gist" }, title)),
      element("p", { className: "meta" },
        owner ? element("span", { className: "owner" }, owner) : "",
        owner ? " · updated " : "updated ",
        element("time", { dateTime: updated_at }, day))),
    ...files.map((file) => fileElement(gist, file)));
}

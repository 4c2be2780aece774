// The search as a stream of JSON lines.

/** An answer that is no stream: the service's own words on what went wrong. */
export class Refusal extends Error {
  constructor(told, retryAfter) {
    super(told.message);
    this.code = told.code;
    this.errors = told.errors ?? [];
    this.requestId = told.request_id;
    this.retryAfter = retryAfter;
  }
}

/** Each line of the answer as an object, as soon as it is there. */
export async function* search(api, body, headers, signal) {
  const response = await fetch(api, {
    method: "POST",
    headers: { ...headers, "Content-Type": "application/json", Accept: "application/x-ndjson" },
    body: JSON.stringify(body),
    signal,
  });
  if (!response.ok) {
    const told = await response.json().catch(() => ({ message: `The service answered ${response.status}.` }));
    throw new Refusal(told, response.headers.get("Retry-After"));
  }
  let rest = "";
  for await (const chunk of chunks(response.body.pipeThrough(new TextDecoderStream()))) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop();
    for (const line of lines) yield JSON.parse(line);
  }
}

// Not every browser can iterate over a stream yet.
async function* chunks(stream) {
  const reader = stream.getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  } finally {
    reader.cancel().catch(() => {});
  }
}

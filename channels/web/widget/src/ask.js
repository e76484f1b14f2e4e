// Talks with the gateway's API: simple requests without credentials; answers as they come, or why there is none.
import { steps } from "./lazy.js";

const PATIENCE_MS = 20000; // the gateway itself gives up earlier

/** The answer's JSON with `ok`, `wait` in seconds and `slug` of a problem, which is alone for "slow" and "network". */
async function send(address, body) {
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), PATIENCE_MS);
  try {
    const response = await fetch(address, {
      credentials: "omit",
      cache: "no-store", // counter computers are shared
      signal: patience.signal,
      ...(body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }),
    });
    const answer = await response.json();
    answer.ok = response.ok;
    answer.wait = response.headers.get("Retry-After");
    answer.slug = (answer.type || "").split("/").pop();
    return answer;
  } catch {
    return { slug: patience.signal.aborted ? "slow" : "network" }; // told in words, whatever it was
  } finally {
    clearTimeout(timer);
  }
}

/** The same; a proof of work is done and handed in where one is asked for. `working`, if any, is called before it. */
export async function ask(address, body, working) {
  const answer = await send(address, body);
  if (!answer.challenge) return answer;
  working?.();
  try {
    const { work } = await steps();
    return send(address, { ...body, work: await work(answer.challenge) });
  } catch {
    return answer; // which says what to do where no work can be done
  }
}

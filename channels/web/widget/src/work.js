// A proof of work in ALTCHA's second protocol: the counter whose derived key begins as the challenge says.
import { pbkdf2 } from "./sha256.js";

const PATIENCE_MS = 60000;
const TURN_MS = 40; // then the page may draw and be typed into

const bytes = (hex) => Uint8Array.from(hex.match(/../g), (pair) => parseInt(pair, 16));
const hex = (buffer) => Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** How this browser derives a key: by itself where the page came over https, else by our own code. */
function deriver(salt, cost) {
  const subtle = self.crypto && crypto.subtle;
  if (!subtle) return (password) => pbkdf2(password, salt, cost);
  return async (password) => {
    const key = await subtle.importKey("raw", password, "PBKDF2", false, ["deriveBits"]);
    return hex(await subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt, iterations: cost }, key, 256));
  };
}

/** The payload to send back, in base64. Throws where it took too long or is nothing we know. */
export async function work(challenge) {
  const { algorithm, nonce, salt, cost, keyPrefix } = challenge.parameters;
  if (algorithm !== "PBKDF2/SHA-256") throw new Error(algorithm);
  const derive = deriver(bytes(salt), cost);
  const password = bytes(`${nonce}00000000`);
  const view = new DataView(password.buffer);
  const start = Date.now();
  let turn = start;
  for (let counter = 0; Date.now() - start < PATIENCE_MS; counter++) {
    view.setUint32(password.length - 4, counter);
    const derivedKey = await derive(password);
    if (derivedKey.startsWith(keyPrefix)) {
      return btoa(JSON.stringify({ challenge, solution: { counter, derivedKey, time: Date.now() - start } }));
    }
    if (Date.now() - turn > TURN_MS) {
      await new Promise((next) => setTimeout(next));
      turn = Date.now();
    }
  }
  throw new Error("out of patience");
}

// PBKDF2 with HMAC-SHA-256 (RFC 8018, FIPS 180-4) for pages on http://, where browsers have no crypto.subtle.

const CONSTANTS = new Int32Array(64);
const START = new Int32Array(8);
const fraction = (root) => ((root % 1) * 2 ** 32) | 0;

for (let number = 2, count = 0; count < 64; number++) {
  let divisor = 2;
  while (number % divisor) divisor++;
  if (divisor < number) continue;
  if (count < 8) START[count] = fraction(Math.sqrt(number));
  CONSTANTS[count++] = fraction(Math.cbrt(number));
}

const schedule = new Int32Array(64);

/** Into `out` the state (8 words) after one more block (16 words); nothing is made anew, since this runs a lot. */
function compress(state, block, out) {
  for (let i = 0; i < 16; i++) schedule[i] = block[i];
  for (let i = 16; i < 64; i++) {
    const x = schedule[i - 15];
    const y = schedule[i - 2];
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    schedule[i] = s0 + s1 + schedule[i - 16] + schedule[i - 7];
  }
  let a = state[0];
  let b = state[1];
  let c = state[2];
  let d = state[3];
  let e = state[4];
  let f = state[5];
  let g = state[6];
  let h = state[7];
  for (let i = 0; i < 64; i++) {
    const big1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const first = (h + big1 + ((e & f) ^ (~e & g)) + CONSTANTS[i] + schedule[i]) | 0;
    const big0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const second = (big0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + first) | 0;
    d = c;
    c = b;
    b = a;
    a = (first + second) | 0;
  }
  out[0] = state[0] + a;
  out[1] = state[1] + b;
  out[2] = state[2] + c;
  out[3] = state[3] + d;
  out[4] = state[4] + e;
  out[5] = state[5] + f;
  out[6] = state[6] + g;
  out[7] = state[7] + h;
}

/** 16 words of at most 64 bytes, each changed by `mask`. */
function words(bytes, mask) {
  const padded = new Uint8Array(64);
  padded.set(bytes);
  const view = new DataView(padded.buffer);
  return Int32Array.from({ length: 16 }, (_, i) => view.getInt32(i * 4) ^ mask);
}

/** The first 32 bytes, in hexadecimal; at most 64 bytes of password and 51 of salt. */
export function pbkdf2(password, salt, rounds) {
  const inner = new Int32Array(8);
  const outer = new Int32Array(8);
  compress(START, words(password, 0x36363636), inner);
  compress(START, words(password, 0x5c5c5c5c), outer);

  // The block that the next hash takes in: 8 words, then the padding behind 64 + 32 bytes.
  const block = new Int32Array(16);
  block[8] = 1 << 31;
  block[15] = 96 * 8;
  const first = words([...salt, 0, 0, 0, 1, 128], 0);
  first[15] = (64 + salt.length + 4) * 8;

  compress(inner, first, block);
  compress(outer, block, block);
  const sum = block.slice(0, 8);
  for (let round = 1; round < rounds; round++) {
    compress(inner, block, block);
    compress(outer, block, block);
    for (let i = 0; i < 8; i++) sum[i] ^= block[i];
  }
  return Array.from(sum, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}

// Loads the steps: the very ones this script was built with, so that who trusts it by its hash trusts them too.
import { el } from "./dom.js";

const { src } = document.currentScript || {};
const STEPS = src && new URL(`../${VERSION}/steps.js`, src).href;
let loading;

async function load() {
  if (!src) throw src; // a script that does not know where it came from
  const preload = el("link", { rel: "modulepreload", href: STEPS, integrity: STEPS_INTEGRITY, crossorigin: "" });
  const loaded = new Promise((resolve, reject) => Object.assign(preload, { onload: resolve, onerror: reject }));
  document.head.append(preload);
  await loaded;
  return import(STEPS);
}

/** The module; the next call tries again where loading failed. */
export function steps() {
  loading = loading || load();
  loading.catch(() => (loading = undefined));
  return loading;
}

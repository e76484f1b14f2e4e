// Makes dist/<version>/ of src/: the widget, and the steps it loads after an answer. Their hashes go into releases.json.
// To release a version, write the day into its released_on there: from then on its bytes never change, here and in the
// tests, and the next change of src/ raises the version in package.json.
// node build.mjs [folder]: build into that folder instead, and write down nothing.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const { version } = JSON.parse(readFileSync(`${here}package.json`));
// What knows constructable style sheets and modulepreload; older browsers keep the link that stands in the page.
const target = ["chrome73", "firefox115", "safari17"];

const smallStyle = {
  name: "the style sheet, made small, as a text",
  setup(builder) {
    builder.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { outputFiles } = await build({ entryPoints: [path], minify: true, write: false, target });
      return { contents: outputFiles[0].text.trim(), loader: "text" };
    });
  },
};

async function bundle(name, format, define) {
  const { outputFiles } = await build({
    entryPoints: [`${here}src/${name}`],
    bundle: true,
    minify: true,
    write: false,
    charset: "utf8",
    format,
    target,
    define,
    plugins: [smallStyle],
    banner: { js: `/*! dossier-status ${version} | Apache-2.0 */` },
  });
  return outputFiles[0].contents;
}

const hash = (contents) => `sha384-${createHash("sha384").update(contents).digest("base64")}`;

function writeDown(hashes) {
  const releases = JSON.parse(readFileSync(`${here}releases.json`));
  const before = releases[version];
  if (before?.released_on && JSON.stringify(before.files) !== JSON.stringify(hashes)) {
    throw new Error(`${version} was released and never changes: raise the version in package.json`);
  }
  releases[version] = { released_on: before?.released_on ?? null, files: hashes };
  writeFileSync(`${here}releases.json`, `${JSON.stringify(releases, null, 2)}\n`);
}

const steps = await bundle("steps.js", "esm", {});
const define = { VERSION: JSON.stringify(version), STEPS_INTEGRITY: JSON.stringify(hash(steps)) };
const files = { "dossier-status.js": await bundle("index.js", "iife", define), "steps.js": steps };

const elsewhere = process.argv[2];
if (!elsewhere) writeDown(Object.fromEntries(Object.entries(files).map(([name, contents]) => [name, hash(contents)])));
const folder = elsewhere ?? `${here}dist/${version}`;
mkdirSync(folder, { recursive: true });
for (const [name, contents] of Object.entries(files)) {
  writeFileSync(`${folder}/${name}`, contents);
  const small = gzipSync(contents, { level: 9 }).length;
  console.log(`${version}/${name}: ${contents.length} bytes, ${small} with gzip, ${hash(contents)}`);
}

// Builds static/dist and static/icons.svg from the pinned packages and frontend/*.ts.
// `--check` builds into a temporary folder and fails when the committed files differ.
import { build } from "esbuild";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, "node_modules");
const entries = ["app", "live", "logviewer"];
const packages = ["@tabler/core", "@tabler/icons", "htmx.org"];

function symbol(style, name) {
  const source = readFileSync(join(modules, "@tabler/icons/icons", style, `${name}.svg`), "utf8");
  const inner = source.slice(source.indexOf(">", source.indexOf("<svg")) + 1, source.lastIndexOf("</svg>"));
  const shapes = inner.replace(/<path stroke="none"[^>]*\/>/, "").replace(/\s*\n\s*/g, "").replace(/ \/>/g, "/>");
  const id = style === "filled" ? `${name}-f` : name;
  const body = style === "filled" ? `<g fill="currentColor" stroke="none">${shapes}</g>` : shapes;
  return `<symbol id="${id}" viewBox="0 0 24 24">${body}</symbol>`;
}

function writeSprite(target) {
  const icons = JSON.parse(readFileSync(join(root, "frontend/icons.json"), "utf8"));
  const symbols = [
    ...icons.outline.map((name) => symbol("outline", name)),
    ...icons.filled.map((name) => symbol("filled", name)),
  ];
  writeFileSync(target, `<svg xmlns="http://www.w3.org/2000/svg">\n${symbols.join("\n")}\n</svg>\n`);
}

// The map files are not shipped, and Django's manifest storage refuses a reference to a missing file.
function copyWithoutMap(from, to) {
  const text = readFileSync(join(modules, from), "utf8").replace(/\s*\/[*/]# sourceMappingURL=[^\n]*\n?$/, "\n");
  writeFileSync(to, text);
}

function writeLicences(target) {
  const parts = ["# Third-party files in static/dist and static/icons.svg\n"];
  for (const name of packages) {
    const about = JSON.parse(readFileSync(join(modules, name, "package.json"), "utf8"));
    parts.push(`## ${name} ${about.version} (${about.license})\n\n\`\`\`text\n${licenceText(name)}\n\`\`\`\n`);
  }
  writeFileSync(target, parts.join("\n"));
}

// @tabler/core ships no licence file: its text is that of its sister package, its holders are those it names,
// and it contains Bootstrap's style sheet.
function licenceText(name) {
  const file = readdirSync(join(modules, name)).find((entry) => /^licen[cs]e/i.test(entry));
  if (file) return readFileSync(join(modules, name, file), "utf8").trim();
  if (name !== "@tabler/core") throw new Error(`${name} has no licence file`);
  const holders = "Copyright 2018-2026 The Tabler Authors\nCopyright 2018-2026 codecalm.net Paweł Kuna\n"
    + "Copyright 2011-2025 The Bootstrap Authors (style sheet contained in it)";
  return licenceText("@tabler/icons").replace(/^Copyright .*$/m, holders);
}

async function buildInto(folder) {
  const dist = join(folder, "dist");
  rmSync(dist, { recursive: true, force: true });
  mkdirSync(dist, { recursive: true });
  await build({
    absWorkingDir: root,
    entryPoints: entries.map((name) => `frontend/${name}.ts`),
    outdir: dist,
    bundle: true,
    minify: true,
    format: "iife",
    target: ["es2022"],
    charset: "utf8",
    legalComments: "none",
    logLevel: "warning",
  });
  copyWithoutMap("@tabler/core/dist/css/tabler.min.css", join(dist, "tabler.min.css"));
  copyWithoutMap("htmx.org/dist/htmx.min.js", join(dist, "htmx.min.js"));
  writeLicences(join(dist, "THIRD_PARTY.md"));
  writeSprite(join(folder, "icons.svg"));
}

function differences(built, committed) {
  const files = readdirSync(join(built, "dist")).map((name) => join("dist", name));
  const extra = readdirSync(join(committed, "dist")).map((name) => join("dist", name)).filter((name) => !files.includes(name));
  const changed = [...files, "icons.svg"].filter((name) => {
    try {
      return !readFileSync(join(built, name)).equals(readFileSync(join(committed, name)));
    } catch {
      return true;
    }
  });
  return [...changed, ...extra];
}

async function check() {
  const folder = mkdtempSync(join(tmpdir(), "berth-frontend-"));
  try {
    await buildInto(folder);
    const stale = differences(folder, join(root, "static"));
    if (stale.length === 0) return;
    console.error(`static/ is not what the sources give (run npm run build): ${stale.join(", ")}`);
    process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv.includes("--check")) await check();
else await buildInto(join(root, "static"));

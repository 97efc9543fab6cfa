// Packages of `package.json`. They are in the target directory, where an import from here doesn't find them.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";

export const home = process.env.STRANDS_SYSTEM_HOME ?? fail("run this by its script, which sets STRANDS_SYSTEM_HOME");
export const program = process.env.STRANDS_TRAVEL_AGENT ?? fail("run this by its script, which sets STRANDS_TRAVEL_AGENT");

const require = createRequire(join(home, "packages/package.json"));
export const { chromium } = require("playwright-core");
export const axeSource = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

function fail(reason) {
  process.stderr.write(`${reason}\n`);
  process.exit(2);
}

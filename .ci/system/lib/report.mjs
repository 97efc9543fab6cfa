// Counts checks, and ends the process with their outcome.
import { performance } from "node:perf_hooks";

const started = performance.now();
const failures = [];
let passed = 0;

const seconds = () => `${((performance.now() - started) / 1000).toFixed(1)} s`.padStart(8);

export function note(text) {
  console.log(`${seconds()}  ${text}`);
}

// Records a check. A failed one doesn't end the run: the later ones often tell why.
export function check(name, holds, detail = "") {
  if (holds) {
    passed += 1;
    return true;
  }
  const text = `${name}${detail === "" ? "" : `: ${typeof detail === "string" ? detail : JSON.stringify(detail)}`}`;
  failures.push(text);
  console.log(`${seconds()}  FAILED: ${text.slice(0, 2000)}`);
  return false;
}

export function equal(name, found, expected) {
  const [left, right] = [JSON.stringify(found), JSON.stringify(expected)];
  return check(name, left === right, `${left} instead of ${right}`);
}

// Runs a step; an exception is a failed check.
export async function step(name, run) {
  const before = performance.now();
  try {
    const value = await run();
    passed += 1;
    note(`${name} (${Math.round(performance.now() - before)} ms)`);
    return value;
  } catch (error) {
    check(name, false, error.stack ?? String(error));
    return undefined;
  }
}

// Waits until `condition` returns something true; never longer than `limit` ms.
export async function until(what, condition, limit = 20_000) {
  const end = performance.now() + limit;
  let last;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end) throw new Error(`timeout after ${limit} ms: ${what}`, { cause: last });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

// Prints the counts, and ends the process: connections that nothing has closed would keep it.
export function finish() {
  if (failures.length) console.log(`\n${failures.map((it) => `FAILED: ${it.slice(0, 600)}`).join("\n")}`);
  console.log(`${passed} passed, ${failures.length} failed`);
  process.exit(failures.length ? 1 : 0);
}

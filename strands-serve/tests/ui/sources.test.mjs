// Rules for the sources of the page: with them, no text can become markup, and the content security policy holds.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

const FOLDER = new URL("../../ui/", import.meta.url);
const files = readdirSync(FOLDER, { recursive: true }).map(String);
const modules = files.filter((file) => file.endsWith(".js"));
const source = (file) => readFileSync(new URL(file, FOLDER), "utf8");

const FORBIDDEN =
  /innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|srcdoc|setHTML|\beval\b|new Function|setAttribute\("(?:style|on)|cssText|(?<!\{)import\(/;

for (const file of modules) {
  test(`${file} builds no markup, and no inline style or script`, () => {
    const found = source(file).split("\n").flatMap((line, index) => (FORBIDDEN.test(line) ? [`${index + 1}: ${line}`] : []));
    assert.deepEqual(found, []);
  });

  test(`${file} imports files of the page alone`, () => {
    for (const [, path] of source(file).matchAll(/^import .*?"(.+)";$/gm)) {
      assert.ok(path.startsWith("."), path);
      assert.ok(readFileSync(new URL(path, new URL(file, FOLDER))), path);
    }
  });
}

test("the style sheets load nothing", () => {
  for (const file of files.filter((name) => name.endsWith(".css"))) assert.doesNotMatch(source(file), /@import|https?:|javascript:/);
});

test("each class of the widgets has a style", () => {
  const names = modules.filter((file) => /^(markdown|timeline|approvals|chart)/.test(file)).flatMap((file) =>
    [...source(file).matchAll(/element\("\w+", "([\w -]+)"/g)].flatMap(([, classes]) => classes.split(" ")));
  const styles = source("widgets.css");
  assert.ok(names.length > 30);
  assert.deepEqual(names.filter((name) => !styles.includes(`.${name}`)), []);
});

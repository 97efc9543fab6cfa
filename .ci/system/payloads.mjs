// See `payloads`.
import { createServer } from "node:http";
import { once } from "node:events";
import { DatabaseSync } from "node:sqlite";
import { allowAttachments, launch, openContext, checkWatch } from "./lib/browser.mjs";
import { ChatPage } from "./lib/chat_page.mjs";
import { Client } from "./lib/client.mjs";
import { PNG } from "./lib/files.mjs";
import { ModelServer } from "./lib/model_server.mjs";
import { OwnIssuer } from "./lib/own_issuer.mjs";
import { System } from "./lib/system.mjs";
import { payloads } from "./lib/payloads.mjs";
import { check, equal, finish, note, step } from "./lib/report.mjs";

// A request to it is a payload that ran, or that the browser loaded.
const reached = [];
const canary = createServer((request, response) => {
  reached.push(request.url);
  response.end();
}).listen(0, "127.0.0.1");
await once(canary, "listening");
const canaryUrl = `http://127.0.0.1:${canary.address().port}`;
const list = payloads(canaryUrl);

const scripts = {
  // `show NUMBER ..`: the payload as an argument that is quoted in an error, then as the text.
  show: ({ prompt, step }) => {
    const payload = list[Number(prompt.trim().split(/\s+/)[1])];
    if (step === 0) return { calls: [["get_hotels", { city: payload, check_in: "2030-01-01", nights: 1 }], ["todays_date", { [payload]: payload }]] };
    return { text: payload, chunk: 7 };
  },
  policy: ({ step, results }) => (step === 0 ? { calls: [["get_travel_policies", {}]] } : { text: JSON.stringify(results) }),
};
const model = await ModelServer.start(scripts);
const issuer = await OwnIssuer.start();
const system = await System.start("payloads", { s3: process.argv.includes("--s3"), model: model.env, issuer });
const browser = await launch();
try {
  const { context, watch } = await openContext(browser, { allowed: [system.url, issuer.url] });
  let opened = 0;
  context.on("page", () => (opened += 1));
  const claims = { sub: "employee-mallory", username: "mallory", roles: ["traveler"], name: `Mallory ${list[2]}` };
  const token = issuer.token(claims);
  const client = new Client(system.url, () => token);
  await allowAttachments(context);
  const page = await ChatPage.open(context, system.url);
  await page.pasteToken(token);
  const intact = async (where) => {
    const found = await page.page.evaluate(() => ({
      ran: globalThis.ran,
      handlers: [...document.querySelectorAll("*")].flatMap((it) => [...it.attributes].filter((each) => each.name.startsWith("on") || each.name === "style").map((each) => `${it.tagName} ${each.name}`)),
      elements: [...document.querySelectorAll("body iframe, body object, body embed, body base, body meta, body link, body style, body script, body video, body math, body img:not([src^='blob:']):not([src^='data:'])")].map((it) => it.outerHTML.slice(0, 120)),
      links: [...document.querySelectorAll("a[href]")].filter((it) => !["http:", "https:", "mailto:"].includes(it.protocol)).map((it) => it.href),
      unsafe: [...document.querySelectorAll("main a[href^='http']")].filter((it) => new URL(it.href).origin !== location.origin && !/noopener|noreferrer/.test(it.rel)).map((it) => it.href),
      url: location.href,
    }));
    const expected = { ran: undefined, handlers: [], elements: [], links: [], unsafe: [] };
    const { url, ...rest } = found;
    equal(`${where}: no element, handler or link of a payload`, rest, JSON.parse(JSON.stringify(expected)));
    check(`${where}: still the page`, new URL(url).origin === system.url, url);
  };
  await intact("name of the user");

  await page.newSession();
  for (const [index, payload] of list.entries()) {
    await step(`payload ${index + 1}: ${JSON.stringify(payload.slice(0, 60))}`, async () => {
      // In its own new session now and then, so that titles made of prompts have payloads, too.
      if (index % 8 === 7) await page.newSession();
      await page.send(`show ${index} ${payload}`);
      await page.idle();
      await page.openTimeline();
      await intact(`payload ${index + 1}`);
      const { body } = await client.json("GET", "/sessions");
      const title = payload.replace(/[\p{Cc}\p{Cf}]/gu, " ").slice(0, 200);
      const renamed = await client.persist("PATCH", `/sessions/${encodeURIComponent(body.sessions[0].id)}`, { title });
      equal(`title ${index + 1}`, renamed.status, 200);
    });
    if (index % 8 === 6) {
      await page.reload();
      await page.openTimeline();
      await intact(`history after payload ${index + 1}`);
    }
  }

  await step("names of files", async () => {
    for (const payload of list.slice(0, 12)) {
      check("attached", await page.attach({ name: `${payload.replaceAll("/", "_")}.png`, mimeType: "image/png", buffer: PNG }));
      await intact("name of a file");
      await page.detach();
    }
    const svg = Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" onload="globalThis.ran=1"><script>${"globalThis.ran=1"}</script></svg>`);
    await page.attach({ name: "image.svg", mimeType: "image/svg+xml", buffer: svg });
    await intact("SVG file");
  });

  if (!system.s3) {
    await step("texts of the policy", async () => {
      const database = new DatabaseSync(system.database);
      database.prepare("UPDATE policies SET rule = ? WHERE code = 'usa_only'").run(list.join("\n"));
      database.close();
      await page.newSession();
      await page.send("policy");
      await page.idle();
      await page.openTimeline();
      await intact("policy");
    });
  }
  checkWatch("payloads", watch);
  equal("no other window was opened", opened, 1);
  equal("no request to the canary", reached, []);
  note(`${list.length} payloads`);
} finally {
  await browser.close();
  equal("no panic", await system.stop(), []);
  model.close();
  issuer.close();
  canary.close();
}
finish();

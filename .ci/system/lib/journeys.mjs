// Parts of the browser test, each a user's journey. They share the pages of Alice, Bob and Carol.
import { PDF, PNG } from "./files.mjs";
import { bookings } from "./records.mjs";
import { check, equal, until } from "./report.mjs";
import { accessible, allowAttachments, openContext } from "./browser.mjs";
import { ChatPage } from "./chat_page.mjs";

const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

const LONG = "Tell me a long story about travel policy";
// The next Monday at least a week from now, and the one after it: each test books other days.
const monday = (weeks) => {
  const date = new Date(Date.now() + weeks * 7 * 86_400_000);
  date.setUTCDate(date.getUTCDate() + ((8 - date.getUTCDay()) % 7));
  return date.toISOString().slice(0, 10);
};
const ALLOWED = `Book me a trip to New York on ${monday(1)}`;
const ABOVE = `Book me a trip to Boston on ${monday(2)} at the Beacon Hill`;
const ABOVE_AGAIN = `Book me a trip to Chicago on ${monday(3)} at the Lakefront Grand`;

export class Journeys {
  constructor({ system, browser, shots }) {
    Object.assign(this, { system, browser, shots, watches: [] });
  }

  async person(name, { isShown = false } = {}) {
    const { context, watch } = await openContext(this.browser, { allowed: [this.system.url, this.system.issuer] });
    this.watches.push([name, watch]);
    const page = await ChatPage.open(context, this.system.url);
    if (isShown) await this.shots?.take(page.page, `${name}-sign-in`);
    await page.signIn(this.system.account(name), async (issuer) => isShown && (await this.shots?.take(issuer, `${name}-issuer`)));
    return page;
  }

  async count(username) {
    return (await bookings(this.system.database)).filter((it) => it.username === username && it.status === "confirmed").length;
  }

  // Signs in, prompts, and sees text and timeline grow.
  async books() {
    this.alice = await this.person("alice", { isShown: true });
    await this.shots?.take(this.alice.page, "alice-empty");
    await this.alice.send(ALLOWED);
    const seen = { text: new Set(), tools: new Set() };
    let isShot = false;
    await until("the response", async () => {
      const turn = await this.alice.lastTurn();
      if (turn.text) seen.text.add(turn.text.length);
      seen.tools.add(turn.tools);
      if (turn.tools >= 2 && !isShot && this.shots) {
        isShot = true;
        await this.alice.page.screenshot({ path: `${this.shots.folder}/streaming.png` });
      }
      return turn.isIdle && turn.text.includes("booked");
    }, 60_000);
    check("the text grows in at least 3 steps", seen.text.size >= 3, [...seen.text]);
    check("the timeline grows", seen.tools.size >= 3, [...seen.tools]);
    const turn = await this.alice.lastTurn();
    equal("no failed tool call", turn.failedTools, 0);
    equal("the booking is stored", await this.count("alice"), 1);
    await this.shots?.take(this.alice.page, "alice-booked");
    await this.alice.openTimeline();
    await this.shots?.take(this.alice.page, "alice-timeline");
    check("tokens and time of the turn are shown", /tokens|\ds/.test((await this.alice.page.locator(".turn-footer .facts").last().textContent()) ?? ""));
  }

  // Requests a booking above the limit, which Bob approves in another browser; it appears without a reload.
  async approves() {
    await this.alice.page.evaluate(() => (globalThis.isSamePage = true));
    await this.alice.newSession();
    await this.alice.send(ABOVE);
    await until("Alice waits for an approval", async () => (await this.alice.lastTurn()).approvals === 1, 60_000);
    equal("nothing is booked yet", await this.count("alice"), 1);
    check("Alice can't approve her own request", !(await this.alice.canApprove()));
    await this.shots?.take(this.alice.page, "alice-waits");

    this.bob = await this.person("bob");
    const card = await this.bob.firstCard();
    check("the card has the arguments", /BOS-H3|Boston/.test((await card.textContent()) ?? ""), await card.textContent());
    check("the card names the requester", /alice/i.test((await card.textContent()) ?? ""));
    await this.shots?.take(this.bob.page, "bob-approvals");
    await card.getByRole("button", { name: "Approve", exact: true }).click();
    await until("the card says that it is approved", async () => /Approved/.test((await card.locator(".approval-status").textContent()) ?? ""));
    await this.shots?.take(this.bob.page, "bob-approved");

    await until("Alice's booking appears", async () => /booked/.test((await this.alice.lastTurn()).text) && (await this.alice.lastTurn()).isIdle, 30_000);
    check("without a reload", await this.alice.page.evaluate(() => globalThis.isSamePage === true));
    equal("the second booking is stored", await this.count("alice"), 2);
    await this.shots?.take(this.alice.page, "alice-approved");
  }

  async denies() {
    await this.alice.newSession();
    await this.alice.send(ABOVE_AGAIN);
    await until("Alice waits for an approval", async () => (await this.alice.lastTurn()).approvals === 1, 60_000);
    const card = await this.bob.firstCard();
    await card.locator("textarea").fill("Too expensive for this quarter");
    await card.getByRole("button", { name: "Deny", exact: true }).click();
    await until("Alice reads the denial", async () => {
      const turn = await this.alice.lastTurn();
      return turn.isIdle && turn.approvals === 0 && /quarter|denied|not/i.test(turn.text);
    });
    equal("nothing is booked", await this.count("alice"), 2);
    await this.shots?.take(this.alice.page, "alice-denied");
  }

  async reloads() {
    const before = await this.alice.lastTurn();
    await this.alice.reload();
    await until("the history", async () => (await this.alice.lastTurn()).text === before.text);
    const after = await this.alice.lastTurn();
    equal("the same prompt", after.prompt, before.prompt);
    equal("the same calls", after.toolNames, before.toolNames);
    await this.shots?.take(this.alice.page, "alice-reloaded");
  }

  // The auditor sees all bookings, and books nothing.
  async audits() {
    const carol = await this.person("carol");
    await carol.send("Show all bookings");
    await carol.idle();
    const list = await carol.lastTurn();
    check("Carol sees Alice's bookings", /New York/.test(list.text) && /Boston/.test(list.text), list.text);
    await this.shots?.take(carol.page, "carol-bookings");
    await carol.send(`Book me a trip to Seattle on ${monday(2)}`);
    await carol.idle();
    const refused = await carol.lastTurn();
    check("Carol can't book", !/is booked/.test(refused.text) && /role|not|can't/i.test(refused.text), refused.text);
    equal("nothing is booked for Carol", await this.count("carol"), 0);
    await carol.openApprovals();
    equal("Carol has nothing to approve", await carol.page.locator(".inbox .approval").count(), 0);
    await this.shots?.take(carol.page, "carol-approvals");
    await carol.page.context().close();
  }

  async stops() {
    await this.alice.newSession();
    await this.alice.send(LONG);
    await this.alice.grows(3);
    if (this.shots) await this.alice.page.screenshot({ path: `${this.shots.folder}/long-stream.png` });
    const began = Date.now();
    await this.alice.stop();
    check("it stops within 3 seconds", Date.now() - began < 3000, `${Date.now() - began} ms`);
    const { text, note } = await this.alice.lastTurn();
    check("the page says that it was stopped", /stopped/i.test(note), note);
    await this.shots?.take(this.alice.page, "alice-stopped");
    await this.alice.page.waitForTimeout(500);
    equal("nothing more is written", (await this.alice.lastTurn()).text, text);
    await this.alice.reload();
    equal("the prompt is in the history", await this.alice.prompts(), [LONG]);
  }

  // Each server is killed in the middle of a stream, and started again: nothing is lost.
  async survivesKills(rounds = 2) {
    const servers = this.system.serverNames;
    for (const [index, name] of servers.slice(0, rounds).entries()) {
      await this.alice.newSession();
      await this.alice.send("What is today's date?");
      await this.alice.idle();
      const first = await this.alice.lastTurn();
      await this.alice.send(LONG);
      await this.alice.grows(3);
      // The stream is at one of the servers: all of them are killed, one after the other.
      for (const each of servers) await this.system.kill(each);
      if (this.shots) await this.alice.page.screenshot({ path: `${this.shots.folder}/killed-${index}.png` });
      let retries = 0;
      await until("the response after the kill", async () => {
        const turn = await this.alice.lastTurn();
        if (turn.isIdle && turn.text.length > 200 && !turn.problem && turn.prompt === LONG) return true;
        if (turn.problem && (await this.alice.retry())) retries += 1;
        return false;
      }, 90_000);
      const last = await this.alice.lastTurn();
      await this.alice.reload();
      equal(`${name}: both prompts are stored once`, await this.alice.prompts(), [first.prompt, LONG]);
      equal(`${name}: the response is stored`, (await this.alice.lastTurn()).text, last.text);
      check(`${name}: at most one retry by hand`, retries <= 1, retries);
    }
  }

  // `up` is ended and started again, while the page is open: the same address, sign-in and conversations, in less than 3 seconds.
  async survivesRestart() {
    const { end, isSame, time } = await this.system.restart();
    check("Ctrl-C ends `up` without an error", end === 0 || end === 130, end);
    check("the addresses are the same", isSame);
    check("the second start takes less than 3 seconds", time < 3000, `${Math.round(time)} ms`);
    await this.alice.newSession();
    await this.alice.send("Which bookings do I have?");
    await this.alice.idle();
    check("the page goes on after a restart", /New York/.test((await this.alice.lastTurn()).text), await this.alice.lastTurn());
  }

  // A killed MCP server and issuer come back, and the conversation goes on.
  async survivesPartsKilled() {
    await this.system.kill("mcp");
    await this.alice.newSession();
    await this.alice.send("Which bookings do I have?");
    await this.alice.idle();
    check("bookings after a kill of the MCP server", /New York/.test((await this.alice.lastTurn()).text), await this.alice.lastTurn());
    await this.system.kill("auth");
    const again = await this.person("alice");
    await again.send("Which bookings do I have?");
    await again.idle();
    check("a sign-in after a kill of the issuer", /New York/.test((await again.lastTurn()).text));
    await again.page.context().close();
  }

  // The network goes away in the middle of a stream, as a laptop sleeps: nothing is lost or doubled.
  async sleeps() {
    await this.alice.newSession();
    await this.alice.send(LONG);
    await this.alice.grows(2);
    await this.alice.page.context().setOffline(true);
    await until("the page says that it is offline", async () => /offline|reconnect/i.test((await this.alice.page.locator(".turn-status").last().innerText()) ?? ""));
    if (this.shots) await this.alice.page.screenshot({ path: `${this.shots.folder}/offline.png` });
    await this.alice.page.context().setOffline(false);
    await this.alice.idle(120_000);
    const { text } = await this.alice.lastTurn();
    await this.alice.reload();
    equal("the streamed text is the stored one", (await this.alice.lastTurn()).text, text);
    equal("one prompt", await this.alice.prompts(), [LONG]);
  }

  // A reload in the middle of a run comes back to it.
  async reloadsWhileRunning() {
    await this.alice.newSession();
    await this.alice.send(LONG);
    await this.alice.grows(2);
    await this.alice.reload();
    await this.alice.grows(2);
    await this.alice.idle(120_000);
    const { text } = await this.alice.lastTurn();
    await this.alice.reload();
    equal("the text after a reload while it ran", (await this.alice.lastTurn()).text, text);
  }

  async managesSessions() {
    const page = this.alice;
    const titles = await page.sessionTitles();
    check("conversations have titles", titles.length >= 4 && titles.every((it) => it !== ""), titles);
    await page.newSession();
    await page.send("What is today's date?");
    await page.idle();
    await until("the new title", async () => (await page.sessionTitles()).includes("What is today's date?"));
    await this.shots?.take(page.page, "alice-sessions");
    const row = page.session("What is today's date?").first();
    await row.hover();
    await row.getByRole("button", { name: /^Rename/ }).click();
    await page.page.getByLabel("Title").fill("The date of today, renamed");
    await this.shots?.take(page.page, "alice-rename");
    await page.page.getByRole("dialog").getByRole("button", { name: "Rename" }).click();
    await until("the changed title", async () => (await page.sessionTitles()).includes("The date of today, renamed"));
    await page.search("RENAMED");
    await until("one found conversation", async () => (await page.sessionTitles()).length === 1);
    await this.shots?.take(page.page, "alice-search");
    await page.search("nothing has this title");
    await until("no found conversation", async () => (await page.sessionTitles()).length === 0);
    await page.search("");
    await until("all conversations", async () => (await page.sessionTitles()).length >= titles.length);
    const deleted = page.session("The date of today, renamed").first();
    await deleted.hover();
    await deleted.getByRole("button", { name: /^Delete/ }).click();
    await this.shots?.take(page.page, "alice-delete");
    await page.page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await until("a deleted conversation", async () => !(await page.sessionTitles()).includes("The date of today, renamed"));
  }

  async editsAndResends() {
    const page = this.alice;
    await page.newSession();
    await page.send("What is today's date?");
    await page.idle();
    await page.send("What are the rules for hotels?");
    await page.idle();
    await page.turns.last().hover();
    await page.turns.last().getByRole("button", { name: "Edit and send again" }).click();
    await page.page.getByRole("textbox", { name: "Edit message" }).fill("Which bookings do I have?");
    await this.shots?.take(page.page, "alice-edit");
    await page.page.getByRole("textbox", { name: "Edit message" }).press("Enter");
    await until("the response to the edited prompt", async () => {
      const turn = await page.lastTurn();
      return turn.prompt === "Which bookings do I have?" && turn.isIdle && /New York/.test(turn.text);
    });
    equal("the edited prompt replaces the old one", await page.prompts(), ["What is today's date?", "Which bookings do I have?"]);
    await page.reload();
    equal("in the history, too", await page.prompts(), ["What is today's date?", "Which bookings do I have?"]);
  }

  async attaches() {
    const page = this.alice;
    await allowAttachments(page.page.context());
    await page.page.reload();
    await page.newSession();
    check("the page takes an image", await page.attach({ name: "receipt.png", mimeType: "image/png", buffer: PNG }));
    await page.attach({ name: "ticket.pdf", mimeType: "application/pdf", buffer: PDF });
    await this.shots?.take(page.page, "alice-attachments");
    await page.send("What is today's date?");
    await page.idle();
    equal("the attachments are in the turn", await page.turns.last().locator(".attachments li").count(), 2);
    await page.reload();
    equal("and in the history", await page.turns.last().locator(".attachments li").count(), 2);
    await this.shots?.take(page.page, "alice-attached");
  }

  // Two tabs of one session: the second one follows the run of the first, and a prompt there is refused without a loss.
  async sharesTabs() {
    const first = this.alice;
    await first.newSession();
    await first.send("What is today's date?");
    await first.idle();
    const second = new ChatPage();
    second.page = await first.page.context().newPage();
    await second.page.goto(first.page.url());
    await until("the history in the second tab", async () => (await second.turns.count()) === 1);
    await first.send(LONG);
    await first.grows(2);
    await until("the second tab follows", async () => (await second.turns.count()) === 2 && (await second.lastTurn()).text.length > 50);
    await Promise.all([first.idle(120_000), second.idle(120_000)]);
    await until("both tabs show the same", async () => (await first.lastTurn()).text === (await second.lastTurn()).text);
    await second.send("Which bookings do I have?");
    await second.idle();
    await until("the first tab shows the turn of the second one", async () => /New York/.test((await first.lastTurn()).text));
    // Both send at once: one waits or is refused, and its text isn't lost.
    await Promise.all([first.send("What is today's date?"), second.send("What are the rules for cars?")]);
    await Promise.all([first.idle(120_000), second.idle(120_000)]);
    const drafts = await Promise.all([first, second].map((it) => it.message.inputValue()));
    const prompts = await first.prompts();
    for (const text of ["What is today's date?", "What are the rules for cars?"]) {
      check(`two tabs: "${text}" is sent or kept`, prompts.slice(1).includes(text) || (await second.prompts()).slice(1).includes(text) || drafts.includes(text), { prompts, drafts });
    }
    await second.page.close();
    await first.message.fill("");
  }

  async pastesToken() {
    const token = await this.token("alice");
    const { context, watch } = await openContext(this.browser, { allowed: [this.system.url, this.system.issuer] });
    this.watches.push(["pasted token", watch]);
    const page = await ChatPage.open(context, this.system.url);
    await page.page.getByText("Use an access token").click();
    await this.shots?.take(page.page, "token");
    await page.page.getByText("Use an access token").click();
    await page.pasteToken(token);
    await page.send("Which bookings do I have?");
    await page.idle();
    check("a pasted token works", /New York/.test((await page.lastTurn()).text));
    await page.signOut();
    equal("no token is left", await page.page.evaluate(() => Object.values(localStorage).filter((it) => it.includes("eyJ")).length), 0);
    await context.close();
    // A token that is no token: an error, and another try.
    const bad = await openContext(this.browser, { allowed: [this.system.url, this.system.issuer] });
    const other = await ChatPage.open(bad.context, this.system.url);
    await other.page.getByText("Use an access token").click();
    await other.page.getByLabel("Access token").fill(`${encoded({ alg: "none" })}.${encoded({ sub: "bob" })}.`);
    await other.page.getByRole("button", { name: "Use this token" }).click();
    await other.page.getByRole("dialog").waitFor();
    await this.shots?.take(other.page, "token-refused");
    await bad.context.close();
  }

  async token(name) {
    const { SignIn } = await import("./sign_in.mjs");
    const { username, password } = this.system.account(name);
    return await (await SignIn.start(this.system.issuer, username, password)).token();
  }

  // Everything by the keyboard, with a visible focus in each step.
  async usesKeyboard() {
    const { context, watch } = await openContext(this.browser, { allowed: [this.system.url, this.system.issuer], reducedMotion: "reduce" });
    this.watches.push(["keyboard", watch]);
    const page = await ChatPage.open(context, this.system.url);
    const { keyboard } = page.page;
    const focused = () => page.page.evaluate(() => {
      const it = document.activeElement;
      const style = it && getComputedStyle(it);
      const box = it?.getBoundingClientRect();
      // A field may show its focus by its frame.
      const frame = it?.closest(".composer, .search") ?? it;
      const ring = [style, frame && getComputedStyle(frame)].some((each) => each && (each.outlineStyle !== "none" || each.boxShadow !== "none"));
      return { name: it?.getAttribute("aria-label") ?? it?.innerText?.trim() ?? "", tag: it?.tagName, ring, isSeen: Boolean(box && box.width && box.height) };
    });
    const tabTo = async (name) => {
      for (let count = 0; count < 60; count += 1) {
        const at = await focused();
        // The page moves the focus to headings for screen readers.
        if (at.tag !== "BODY" && !at.tag.startsWith("H")) check(`visible focus: ${at.tag} ${at.name.slice(0, 40)}`, at.ring && at.isSeen, at);
        if (name.test(at.name)) return;
        await keyboard.press("Tab");
      }
      throw new Error(`${name} isn't reached by Tab`);
    };
    await tabTo(/^Sign in$/);
    await keyboard.press("Enter");
    await page.page.getByLabel("User name").waitFor();
    await keyboard.type("alice");
    await keyboard.press("Tab");
    await keyboard.type("alice-dev");
    await keyboard.press("Enter");
    await page.message.waitFor();
    check("the skip link comes first", await page.page.evaluate(() => document.querySelector("a, button, input, textarea, [tabindex='0']").matches(".skip-link")));
    await page.page.locator(".skip-link").focus();
    check("the skip link is seen", (await focused()).isSeen && (await focused()).ring, await focused());
    if (this.shots) await page.page.screenshot({ path: `${this.shots.folder}/skip-link.png` });
    await keyboard.press("Enter");
    check("the skip link goes to the message", (await focused()).name === "Message", await focused());
    await keyboard.type("What is today's date?");
    await keyboard.press("Shift+Enter");
    await keyboard.type("And tomorrow's?");
    await keyboard.press("Enter");
    await page.idle();
    check("a prompt of two lines", /date\?\nAnd/.test((await page.prompts())[0] ?? ""), await page.prompts());
    await keyboard.type(LONG);
    await keyboard.press("Enter");
    await page.grows(2);
    await keyboard.press("Escape");
    await page.idle();
    check("Escape stops", /stopped/i.test((await page.lastTurn()).note));
    // Arrows move in the list of conversations; F2 renames; Escape closes the dialog, and the focus comes back.
    await page.page.getByRole("searchbox").focus();
    await keyboard.press("Tab");
    await keyboard.press("ArrowDown");
    await keyboard.press("ArrowUp");
    await keyboard.press("F2");
    await page.page.getByRole("dialog").waitFor();
    await accessible(page.page, "dialog by keyboard");
    await keyboard.press("Escape");
    await page.page.getByRole("dialog").waitFor({ state: "detached" });
    check("the focus is back in the list", await page.page.evaluate(() => Boolean(document.activeElement?.closest(".session-rows"))), await focused());
    await page.page.getByRole("link", { name: "New conversation" }).focus();
    await tabTo(/^Approvals/);
    await keyboard.press("Enter");
    await page.page.locator(".inbox").waitFor();
    await tabTo(/^Sign out$/);
    await keyboard.press("Enter");
    await page.page.getByRole("button", { name: "Sign in", exact: true }).waitFor();
    await context.close();
  }

  async showsUsage() {
    const page = this.alice;
    await page.newSession();
    for (const text of ["What is today's date?", "Which bookings do I have?", "What are the rules for hotels?"]) {
      await page.send(text);
      await page.idle();
    }
    await page.page.getByRole("button", { name: "Usage" }).click();
    await page.page.getByRole("dialog").waitFor();
    await this.shots?.take(page.page, "alice-usage");
    await page.page.getByRole("dialog").locator("summary").click();
    equal("a row for each turn", await page.page.getByRole("dialog").locator("tbody tr").count(), 3);
    await page.page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
  }

  // Ranked passages with their source, as Markdown.
  async readsPolicies() {
    const page = this.alice;
    await page.newSession();
    await page.send("What does the policy say about rental cars?");
    await page.idle();
    await this.shots?.take(page.page, "alice-policy");
    check("a response about cars", /car/i.test((await page.lastTurn()).text));
  }

  async phoneMenu() {
    const page = this.alice;
    const size = page.page.viewportSize();
    await page.page.setViewportSize({ width: 360, height: 740 });
    await page.page.getByRole("button", { name: "Conversations" }).click();
    await page.page.getByRole("link", { name: "New conversation" }).waitFor();
    if (this.shots) await page.page.screenshot({ path: `${this.shots.folder}/phone-menu.png` });
    await accessible(page.page, "menu on a phone");
    await page.page.keyboard.press("Escape");
    await page.page.setViewportSize(size);
  }
}

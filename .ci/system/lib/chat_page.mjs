// The chat page as its users know it: by labels and roles, and by the classes of its parts.
import { until } from "./report.mjs";

export class ChatPage {
  static async open(context, url) {
    const page = new ChatPage();
    page.page = await context.newPage();
    page.url = url;
    await page.page.goto(`${url}/`);
    await page.page.locator("main").first().waitFor();
    return page;
  }

  get message() {
    return this.page.getByRole("textbox", { name: "Message", exact: true });
  }

  get turns() {
    return this.page.locator("article.turn");
  }

  get stopButton() {
    return this.page.getByRole("button", { name: "Stop", exact: true });
  }

  // Signs in at the issuer. `onIssuer` sees its page.
  async signIn({ username, password }, onIssuer = async () => {}) {
    await this.page.getByRole("button", { name: "Sign in", exact: true }).click();
    await this.page.getByLabel("User name").waitFor();
    await onIssuer(this.page);
    await this.page.getByLabel("User name").fill(username);
    await this.page.getByLabel("Password").fill(password);
    await this.page.getByLabel("Password").press("Enter");
    await this.message.waitFor();
    // Lets the list of conversations appear: a first prompt would else race with it.
    await this.page.locator(".session-rows li, .session-note:not(:empty)").first().waitFor();
  }

  async pasteToken(token) {
    const choice = this.page.getByText("Use an access token");
    if (await choice.isVisible()) await choice.click();
    await this.page.getByLabel("Access token").fill(token);
    await this.page.getByRole("button", { name: "Use this token" }).click();
    await this.message.waitFor();
    await this.page.locator(".session-rows li, .session-note:not(:empty)").first().waitFor();
  }

  async signOut() {
    await this.page.getByRole("button", { name: "Sign out" }).click();
    await this.page.getByRole("button", { name: "Sign in", exact: true }).waitFor();
  }

  async newSession() {
    await this.page.getByRole("link", { name: "New conversation" }).click();
    await until("an empty conversation", async () => (await this.turns.count()) === 0);
  }

  async send(text) {
    await this.message.fill(text);
    await this.message.press("Enter");
  }

  // Waits until no run is on its way: an end, a failure with a button, or a wait for an approval. A press of Enter has its effect at
  // once, so a run that has not begun is not taken for one that has ended.
  async idle(limit = 30_000) {
    await until("the end of the turn", () => this.page.evaluate(() => {
      const last = [...document.querySelectorAll("article.turn")].at(-1);
      const stop = document.querySelector("button.stop");
      if (!last || last.getAttribute("aria-busy") === "true") return false;
      return stop?.hidden !== false || last.querySelector(".note-buttons button") !== null;
    }), limit).catch(async (error) => {
      throw new Error(`${error.message}: ${JSON.stringify(await this.lastTurn())} at ${this.page.url()}`, { cause: error });
    });
  }

  // Waits until the response of the last turn has begun, and grows.
  async grows(steps = 2) {
    const lengths = new Set();
    await until(`the response grows in ${steps} steps`, async () => {
      const { text, tools } = await this.lastTurn();
      if (text || tools) lengths.add(`${text.length} ${tools}`);
      return lengths.size >= steps;
    });
  }

  async stop() {
    await this.stopButton.click();
    await this.idle();
  }

  async lastTurn() {
    return await this.page.evaluate(() => {
      const last = [...document.querySelectorAll("article.turn")].at(-1);
      const calls = [...(last?.querySelectorAll(".timeline > li") ?? [])];
      const texts = [...(last?.querySelectorAll(".answer-body .markdown") ?? [])].map((it) => it.innerText);
      return {
        prompt: last?.querySelector(".prompt-text")?.textContent ?? "",
        text: texts.join("\n").trim(),
        note: last?.querySelector(".turn-status .note")?.innerText ?? "",
        problem: last?.querySelector(".turn-status .note.error")?.innerText ?? "",
        tools: calls.length,
        toolNames: calls.map((it) => it.querySelector(".call-name")?.textContent ?? ""),
        failedTools: calls.filter((it) => /failed|denied|refused/.test(it.dataset.status ?? it.className)).length,
        approvals: last?.querySelectorAll(".approval").length ?? 0,
        isIdle: document.querySelector("button.stop")?.hidden !== false,
      };
    });
  }

  // Text of all turns.
  async text() {
    return await this.page.evaluate(() => [...document.querySelectorAll("article.turn")].map((it) => it.textContent).join("\n"));
  }

  async prompts() {
    return await this.page.locator("article.turn .prompt-text").allTextContents();
  }

  // Opens all details of tool calls and cards, so that their content is rendered.
  async openTimeline() {
    await this.page.evaluate(() => document.querySelectorAll("article.turn details").forEach((it) => (it.open = true)));
  }

  async canApprove() {
    return (await this.page.locator("article.turn").getByRole("button", { name: "Approve", exact: true }).count()) > 0;
  }

  // Clicks the button to try again, if there is one.
  async retry() {
    const button = this.turns.last().getByRole("button", { name: "Try again" });
    if (!(await button.isVisible())) return false;
    await button.click();
    return true;
  }

  async openApprovals() {
    await this.page.getByRole("link", { name: /^Approvals/ }).click();
    await this.page.locator(".inbox").waitFor();
  }

  // The first card of the list of approvals. The list is read again by opening it.
  async firstCard() {
    await until("a request for an approval", async () => {
      await this.page.evaluate(() => (location.hash = "#/new"));
      await this.openApprovals();
      await this.page.waitForTimeout(200);
      return (await this.page.locator(".inbox .approval").count()) > 0;
    });
    return this.page.locator(".inbox .approval").first();
  }

  // Approves the first request of the list, if there is one, and comes back to the conversation.
  async approveFirst() {
    const address = this.page.url();
    await this.openApprovals();
    // Not one whose reply is on its way, or was sent.
    const button = this.page.locator('.inbox .approval button.approval-approve:not([aria-disabled="true"])').first();
    const isThere = await button.waitFor({ timeout: 1000 }).then(() => true, () => false);
    // Another manager may reply first, and the card goes.
    if (isThere) await button.click({ timeout: 3000 }).catch(() => {});
    await this.page.evaluate((to) => (location.href = to), address);
    await this.turns.first().waitFor();
  }

  async reload() {
    await this.page.reload();
    await this.message.waitFor();
    await this.page.locator("article.turn").first().waitFor();
  }

  session(title) {
    return this.page.locator(".session-rows li", { has: this.page.locator(".session-title", { hasText: title }) });
  }

  async sessionTitles() {
    return await this.page.locator(".session-rows .session-title").allTextContents();
  }

  async search(text) {
    await this.page.getByRole("searchbox", { name: "Search conversations" }).fill(text);
  }

  // Attaches a file. Returns false if the page takes no attachments.
  async attach(file) {
    const input = this.page.locator(".composer input[type=file]");
    if ((await input.count()) === 0) return false;
    await input.setInputFiles(file);
    await this.page.locator(".composer .chip, .composer-note:not(:empty)").first().waitFor();
    return true;
  }

  async detach() {
    for (;;) {
      const button = this.page.locator(".composer .chip button").first();
      if ((await button.count()) === 0) return;
      await button.click();
    }
  }
}

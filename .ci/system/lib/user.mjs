// A user of the load tests: has a marker that no one else may get, and records what the service has acknowledged.
import { callTool, serviceToken } from "./desk_client.mjs";
import { Client, textOf } from "./client.mjs";
import { CODE, tripPrompt } from "./trip_script.mjs";
import { MARKER, letters, marker, pause } from "./random.mjs";
import { SignIn } from "./sign_in.mjs";

export class User {
  static async signIn(system, { username, password, role }, random, shared) {
    const user = new User();
    const signIn = await SignIn.start(system.issuer, username, password);
    Object.assign(user, { system, username, role, random, shared, signIn, marker: marker(), codes: new Set(), turns: [], runs: [] });
    user.client = new Client(system.url, () => signIn.token(), (text, where) => user.read(text, where));
    user.subject = signIn.claims.sub;
    // Sessions of all users have the same names, so that a mistake in their keys would show.
    user.sessions = [undefined];
    return user;
  }

  // Looks for texts of others, and for tokens.
  read(text, where) {
    for (const [found] of text.matchAll(MARKER)) {
      if (found !== this.marker) this.shared.crossed.push(`${this.username} got ${found} from ${where}`);
    }
    if (/eyJ[\w-]{10,}\.eyJ/.test(text)) this.shared.crossed.push(`${this.username} got a token from ${where}`);
  }

  // Prompts, by events or as JSON. Returns undefined if there is no response; the turn may be stored all the same.
  async prompt(text, { isStream = this.random.next() < 0.5, session = this.random.pick(this.sessions) } = {}) {
    const turn = { text: `${text} ${letters()}`, session, isAcknowledged: false };
    this.turns.push(turn);
    const body = { prompt: turn.text };
    if (session) body.session_id = session;
    let result;
    if (isStream) {
      const streamed = await this.client.stream(body);
      turn.status = streamed.problem?.status ?? streamed.status;
      turn.problem = streamed.problem;
      turn.run = streamed.run;
      result = streamed.result && { ...streamed.result, text: textOf(streamed.result.message) };
      if (result) turn.streamed = streamed.events.filter((it) => it.type === "text_delta").map((it) => it.text).join("");
    } else {
      const { status, body: reply } = await this.client.json("POST", "/prompt", body);
      turn.status = status;
      if (status === 200) result = reply;
      else turn.problem = reply;
    }
    if (!result) return turn;
    turn.session ??= result.session_id;
    turn.run ??= result.run_id;
    turn.stop = result.stop_reason;
    turn.reply = result.text;
    turn.isAcknowledged = !["cancelled"].includes(result.stop_reason);
    this.noteCode(turn.reply);
    return turn;
  }

  noteCode(text) {
    const code = text?.match(CODE)?.[1];
    if (code) this.codes.add(code);
    return code;
  }

  async newSession() {
    const { status, body } = await this.client.json("POST", "/prompt", { prompt: `say ${this.marker} ${letters()}`, new_session: true });
    if (status === 200) this.sessions.push(body.session_id);
  }

  say() {
    return this.prompt(`say ${this.marker}`);
  }

  book(hotel, options) {
    return this.prompt(tripPrompt(this.random, hotel, this.marker), options);
  }

  // Waits until the run of a turn goes on after its approval. Returns the last message.
  async decided(turn, limit = 600_000) {
    const end = Date.now() + limit;
    const path = `/sessions/${encodeURIComponent(turn.session ?? `session_for_user_${this.subject}`)}`;
    while (Date.now() < end) {
      const { status, body } = await this.client.persist("GET", path);
      if (status !== 200) throw new Error(`${this.username}: ${path}: ${status}`);
      const last = body.messages.at(-1);
      if (body.interrupts.length === 0 && last?.role === "assistant" && textOf(last).includes(this.marker) && !last.content.some((it) => it.toolUse)) {
        turn.decided = textOf(last);
        return { text: turn.decided, code: this.noteCode(turn.decided) };
      }
      await pause(400);
    }
    return undefined;
  }

  // Bookings at the MCP server, with a service token for this user. It responds with an error while its store is too slow.
  async bookingsAtDesk({ attempts = 10 } = {}) {
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const token = serviceToken(this.system.secret, this.system.serviceClaims(this));
      const { status, isError, text } = await callTool(this.system.mcp, token, "my_bookings");
      this.read(text, "my_bookings");
      if (status === 200 && !isError) return JSON.parse(text);
      this.deskError = { status, text };
      await pause(1_000);
    }
    return undefined;
  }
}

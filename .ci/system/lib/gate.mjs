// A TCP proxy that can be cut off: its connections are reset, and new ones are refused.
import { connect, createServer } from "node:net";
import { once } from "node:events";
import { freePort } from "./processes.mjs";

export class Gate {
  static async open(name, target) {
    const gate = new Gate();
    Object.assign(gate, { name, target, port: await freePort(), sockets: new Set(), isCut: false, connections: 0 });
    gate.server = createServer((client) => gate.accept(client));
    gate.server.listen(gate.port, "127.0.0.1");
    await once(gate.server, "listening");
    return gate;
  }

  accept(client) {
    if (this.isCut) {
      client.on("error", () => {});
      client.resetAndDestroy();
      return;
    }
    this.connections += 1;
    const server = connect(this.target, "127.0.0.1");
    for (const [socket, other] of [[client, server], [server, client]]) {
      this.sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        this.sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  }

  cut() {
    this.isCut = true;
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  restore() {
    this.isCut = false;
  }

  close() {
    this.cut();
    this.server.close();
  }
}

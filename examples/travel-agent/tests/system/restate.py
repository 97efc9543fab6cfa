#!/usr/bin/env python3
"""Stand-in of the Restate server: it is ready, refuses the first deployment, keeps the next ones, and calls no agent."""

import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

DEPLOYMENTS = Path(os.environ["RESTATE_BASE_DIR"]) / "deployments"


class Handler(BaseHTTPRequestHandler):
    requests = 0

    def do_GET(self):
        self.respond(200)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        Handler.requests += 1
        if Handler.requests == 1 or self.path != "/deployments":
            return self.respond(503)
        with DEPLOYMENTS.open("ab") as file:
            file.write(body + b"\n")
        self.respond(201)

    def respond(self, status):
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def server(name):
    host, _, port = os.environ[name].partition(":")
    return ThreadingHTTPServer((host, int(port)), Handler)


assert sys.argv[1:] == ["--no-logo"]
assert sys.stdin.read() == "", "its own input is empty"
threading.Thread(target=server("RESTATE_ADMIN__BIND_ADDRESS").serve_forever, daemon=True).start()
server("RESTATE_INGRESS__BIND_ADDRESS").serve_forever()

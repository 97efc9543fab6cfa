#!/usr/bin/env python3
"""Records the AWS calls of functions: a reverse proxy in front of a server with the APIs of AWS, with one loopback port for each
function.

    .ci/deploy/aws_recorder.py --upstream URL --ports FILE --calls FILE [--bedrock URL] [--stdin] FUNCTION ..

--ports gets {"FUNCTION": PORT, ..} once all ports are open. --calls gets a line of JSON for each call: its function, service,
action, resource, condition keys, and the status of the response. Neither bodies nor credentials are written. --bedrock is the
upstream of Bedrock's requests, which moto does not serve. It ends on SIGTERM, and with --stdin when stdin ends.
"""

import argparse
import contextlib
import http.client
import json
import os
import signal
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from aws_calls import calls

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "proxy-connection", "expect", "content-length"}
CHUNK = 64 * 1024


class Journal:
    """The file of the calls. A line is written as a whole, before the response is forwarded."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("a", buffering=1)
        self.lock = threading.Lock()

    def write(self, records: list) -> None:
        with self.lock:
            self.file.write("".join(json.dumps(record, sort_keys=True) + "\n" for record in records))


class Proxy(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, function: str, options: argparse.Namespace, journal: Journal) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.function, self.journal = function, journal
        self.upstream = urllib.parse.urlsplit(options.upstream)
        self.bedrock = urllib.parse.urlsplit(options.bedrock or options.upstream)

    def handle_error(self, *_: object) -> None:
        """Clients may be killed while they wait."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def log_message(self, *_: object) -> None:
        pass

    def handle_one_request(self) -> None:
        # All methods are forwarded in the same way.
        self.raw_requestline = self.rfile.readline(CHUNK + 1)
        if not self.raw_requestline:
            self.close_connection = True
        elif self.parse_request():
            self.forward()
            self.wfile.flush()

    def body(self) -> bytes:
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body

    def forward(self) -> None:
        body = self.body()
        headers = {name.lower(): value for name, value in self.headers.items()}
        found = calls(self.command, self.path, headers, body)
        service = found[0].action.split(":")[0] if found else ""
        upstream = self.server.bedrock if service == "bedrock" else self.server.upstream
        connection = http.client.HTTPConnection(upstream.hostname, upstream.port, timeout=120)
        try:
            sent = {name: value for name, value in headers.items() if name not in HOP_BY_HOP} | {"content-length": str(len(body))}
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in sent.items():
                connection.putheader(name, value)
            connection.endheaders(body or None)
            response = connection.getresponse()
        except OSError:
            # As if AWS had closed the connection; the call counts, since it may have been made.
            self.server.journal.write([call.record(self.server.function, 0) for call in found])
            self.close_connection = True
            return
        self.server.journal.write([call.record(self.server.function, response.status) for call in found])
        with contextlib.closing(connection):
            self.reply(response)

    def reply(self, response: http.client.HTTPResponse) -> None:
        self.send_response_only(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        length = response.getheader("content-length")
        has_body = self.command != "HEAD" and response.status not in (204, 304)
        if length is not None:
            self.send_header("content-length", length)
        elif has_body:
            self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        while has_body and (chunk := response.read1(CHUNK)):
            self.wfile.write(chunk if length is not None else b"%x\r\n%b\r\n" % (len(chunk), chunk))
            self.wfile.flush()
        if has_body and length is None:
            self.wfile.write(b"0\r\n\r\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--bedrock")
    parser.add_argument("--ports", type=Path, required=True)
    parser.add_argument("--calls", type=Path, required=True)
    parser.add_argument("--stdin", action="store_true")
    parser.add_argument("functions", nargs="+", metavar="FUNCTION")
    options = parser.parse_args()
    journal = Journal(options.calls)
    proxies = {function: Proxy(function, options, journal) for function in options.functions}
    for proxy in proxies.values():
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
    partial = options.ports.with_name(f"{options.ports.name}.partial")
    partial.write_text(json.dumps({function: proxy.server_address[1] for function, proxy in proxies.items()}))
    os.replace(partial, options.ports)
    if options.stdin:
        sys.stdin.read()
    else:
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main()

"""A runtime API of Lambda for one event, to run a function without its platform."""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TIME_LIMIT = 60


class Runtime(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    events: "queue.Queue[bytes]" = queue.Queue()
    results: "queue.Queue[tuple]" = queue.Queue()

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        event = self.events.get()
        self.send_response(200)
        self.send_header("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
        self.send_header("lambda-runtime-deadline-ms", str(int((time.time() + TIME_LIMIT) * 1000)))
        self.send_header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:authorizer")
        self.send_header("content-length", str(len(event)))
        self.end_headers()
        self.wfile.write(event)

    def do_POST(self) -> None:
        self.results.put((self.path, self.rfile.read(int(self.headers.get("content-length", 0)))))
        self.send_response(202)
        self.send_header("content-length", "0")
        self.end_headers()


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """The function is killed while it waits for its next event."""


def event(authorization: str) -> dict:
    """Returns the event of a Lambda authorizer of an HTTP API, format 2.0."""
    return {
        "version": "2.0",
        "type": "REQUEST",
        "routeArn": "arn:aws:execute-api:us-east-1:123456789012:abcdef1234/$default/POST/mcp",
        "identitySource": [authorization],
        "routeKey": "POST /mcp",
        "rawPath": "/mcp",
        "rawQueryString": "",
        "headers": {"authorization": authorization},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abcdef1234",
            "domainName": "abcdef1234.execute-api.us-east-1.amazonaws.com",
            "http": {"method": "POST", "path": "/mcp", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "test"},
            "requestId": "id",
            "routeKey": "POST /mcp",
            "stage": "$default",
            "time": "12/Mar/2026:19:03:58 +0000",
            "timeEpoch": 1773342238000,
        },
    }


def invoke(command: list, handler: str, variables: dict) -> dict:
    """Runs a function with a token that is not valid; checks that it refuses it."""
    server = Server(("127.0.0.1", 0), Runtime)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_address[1]}",
        "AWS_LAMBDA_FUNCTION_NAME": handler,
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "_HANDLER": handler,
        **variables,
    }
    Runtime.events.put(json.dumps(event("Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl")).encode())
    function = subprocess.Popen(list(map(str, command)), env=environment)
    try:
        path, body = Runtime.results.get(timeout=TIME_LIMIT)
    except queue.Empty:
        sys.exit(f"FAILED: {handler} has not responded")
    finally:
        function.kill()
        function.wait()
        server.shutdown()
    if not path.endswith("/response") or json.loads(body).get("isAuthorized") is not False:
        sys.exit(f"FAILED: {handler} does not refuse a token that is not valid: {path} {body}")
    return json.loads(body)

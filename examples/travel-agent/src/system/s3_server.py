"""The S3 server of `travel-agent up --s3`: moto, with its objects in files, so that a restart loses nothing.

Arguments: port, folder, bucket. It ends when its standard input ends.
"""

import io
import json
import os
import sys
import threading
import xml.etree.ElementTree
from pathlib import Path
from urllib.parse import quote

from moto.server import create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.test import Client
from werkzeug.wrappers import Request

PORT, FOLDER, BUCKET = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
# moto looks at the user of a request, and at no signature.
CREDENTIALS = "Credential=travel/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
HEADERS = {"host": f"127.0.0.1:{PORT}", "authorization": f"AWS4-HMAC-SHA256 {CREDENTIALS}"}
KEPT = ("content-type", "content-encoding", "cache-control", "content-disposition", "x-amz-meta-")

server = create_backend_app("s3")
internal = Client(server)
writes = threading.Lock()


def end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def file_of(path: str) -> Path:
    *folders, name = path.lstrip("/").split("/")
    # A folder has no dot, so that it is neither `..` nor the file of an object.
    parts = [quote(folder, safe="").replace(".", "%2E") or "%" for folder in folders]
    parts.append(f"{quote(name, safe='')}.object")
    # A name in a file system has at most 255 bytes: longer ones are split.
    split = [[part[at : at + 200] for at in range(0, len(part), 200)] for part in parts]
    return FOLDER.joinpath(*(name for head in split for name in [*(f"{start}%+" for start in head[:-1]), head[-1]]))


def store(path: str) -> None:
    """Makes the file of an object as moto has it now, or deletes it."""
    file = file_of(path)
    response = internal.get(quote(path), headers=HEADERS)
    if response.status_code == 404:
        file.unlink(missing_ok=True)
        return
    if response.status_code != 200:
        raise RuntimeError(f"GET {path} has the status {response.status}")
    headers = {name: value for name, value in response.headers if name.lower().startswith(KEPT)}
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    partial.write_bytes(json.dumps({"path": path, "headers": headers}).encode() + b"\n" + response.data)
    partial.replace(file)


def load() -> None:
    internal.put(f"/{BUCKET}", headers=HEADERS)
    for file in FOLDER.rglob("*.object"):
        head, _, body = file.read_bytes().partition(b"\n")
        head = json.loads(head)
        response = internal.put(quote(head["path"]), data=body, headers={**head["headers"], **HEADERS})
        if response.status_code != 200:
            sys.exit(f"{file} can't be loaded: {response.status}")


def changed(request: Request, body: bytes) -> list[str]:
    """Returns the paths of objects that a successful request may have changed."""
    bucket, _, key = request.path.lstrip("/").partition("/")
    if key:
        is_part = "partNumber" in request.args or "uploads" in request.args
        is_abort = request.method == "DELETE" and "uploadId" in request.args
        return [] if is_part or is_abort else [f"/{bucket}/{key}"]
    if "delete" not in request.args:
        return []
    elements = xml.etree.ElementTree.fromstring(body).iter()
    return [f"/{bucket}/{element.text}" for element in elements if element.tag.endswith("Key")]


def app(environ, start_response):
    if environ["REQUEST_METHOD"] not in ("PUT", "POST", "DELETE"):
        return server(environ, start_response)
    request = Request(environ)
    body = request.get_data(cache=False)
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    start = []
    with writes:
        chunks = list(server(environ, lambda *arguments: start.append(arguments)))
        if start[0][0].startswith("2"):
            # Before the response: what is acknowledged is stored.
            for path in changed(request, body):
                store(path)
    start_response(*start[0])
    return chunks


class Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_):
        pass


threading.Thread(target=end_with_parent, daemon=True).start()
load()
make_server("127.0.0.1", PORT, app, threaded=True, request_handler=Handler).serve_forever()

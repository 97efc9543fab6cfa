"""The S3 server of `travel-agent up --s3`: moto, with its objects in files, so that a restart loses nothing.

Arguments: port, folder, bucket. It ends when its standard input ends.
"""

import base64
import json
import os
import sys
import threading
from pathlib import Path

from moto.server import create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.test import Client
from werkzeug.wrappers import Request

PORT, FOLDER, BUCKET = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
HOST = f"127.0.0.1:{PORT}"
KEPT = ("content-type", "content-encoding", "cache-control", "content-disposition", "x-amz-meta-")

server = create_backend_app("s3")
objects = Client(server)
writes = threading.Lock()


def end_with_parent():
    sys.stdin.buffer.read()
    os._exit(0)


def file_of(path):
    # The longest name of a file has 255 bytes: a long key is several folders deep.
    name = base64.urlsafe_b64encode(path.encode()).decode()
    parts = [name[at : at + 200] for at in range(0, len(name), 200)]
    return FOLDER.joinpath(*(f"{part}-" for part in parts[:-1]), f"{parts[-1]}.object")


def store(path):
    """Makes the file of an object, or deletes it, as moto has it now."""
    file = file_of(path)
    response = objects.get(path, headers={"host": HOST})
    if response.status_code != 200:
        file.unlink(missing_ok=True)
        return
    headers = {name: value for name, value in response.headers if name.lower().startswith(KEPT)}
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    partial.write_bytes(json.dumps({"path": path, "headers": headers}).encode() + b"\n" + response.data)
    partial.replace(file)


def load():
    objects.put(f"/{BUCKET}", headers={"host": HOST})
    # In the order of the writes, which lists by time of change show.
    files = sorted(FOLDER.rglob("*.object"), key=lambda file: file.stat().st_mtime_ns)
    for file in files:
        head, _, body = file.read_bytes().partition(b"\n")
        head = json.loads(head)
        objects.put(head["path"], data=body, headers={**head["headers"], "host": HOST})


def deleted_keys(body):
    import xml.etree.ElementTree as xml

    return [element.text for element in xml.fromstring(body).iter() if element.tag.endswith("Key") and element.text]


def app(environ, start_response):
    request = Request(environ)
    if request.method not in ("PUT", "POST", "DELETE"):
        return server(environ, start_response)
    body = request.get_data(cache=False)
    from io import BytesIO

    environ.update({"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body)), "wsgi.input_terminated": True})
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    with writes:
        # The response is sent after the file is written: what is acknowledged is stored.
        captured = []
        chunks = list(server(environ, lambda *start: captured.append(start) or (lambda _: None)))
        if captured[0][0].startswith("2"):
            bucket, _, key = request.path.lstrip("/").partition("/")
            is_part = "partNumber" in request.args or "uploads" in request.args
            if key and not is_part and not (request.method == "DELETE" and "uploadId" in request.args):
                store(f"/{bucket}/{key}")
            elif not key and "delete" in request.args:
                for key in deleted_keys(body):
                    store(f"/{bucket}/{key}")
    start_response(*captured[0])
    return chunks


class Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_):
        pass


threading.Thread(target=end_with_parent, daemon=True).start()
load()
make_server("127.0.0.1", PORT, app, threaded=True, request_handler=Handler).serve_forever()

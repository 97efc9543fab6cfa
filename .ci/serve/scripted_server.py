"""The example `scripted_server` as a process; imported by the checks beside it."""

import contextlib
from collections.abc import Iterator

import echo_server


class Server(echo_server.Server):
    prefix = "SCRIPTED"


@contextlib.contextmanager
def running(*options: str, **variables: object) -> Iterator[Server]:
    """Builds and runs the server. `options` are of Cargo."""
    server = Server(echo_server.build(*options, example="scripted_server"), **variables)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()

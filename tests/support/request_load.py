"""A test load as `mcr profile --load` wants one: a program that makes the same request over and over.

python -m tests.support.request_load PORT SECONDS REQUEST: on four connections that stay open, and now and then on one
that is closed again. REQUEST has escapes such as \\r\\n. Exit status 1 if the server does not answer.
"""

from __future__ import annotations

import socket
import sys
import time

CONNECTIONS = 4
TIMEOUT_S = 10.0
NEW_EVERY = 50


def main() -> int:
    """The program."""
    port, seconds, request = (
        int(sys.argv[1]),
        float(sys.argv[2]),
        sys.argv[3].encode().decode("unicode_escape").encode(),
    )
    kept = [_connect(port) for _ in range(CONNECTIONS)]
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        if count % NEW_EVERY == 0:
            with _connect(port) as passing:
                _ask(passing, request)
        _ask(kept[count % CONNECTIONS], request)
        count += 1
    for one in kept:
        one.close()
    return 0


def _connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), TIMEOUT_S)


def _ask(connection: socket.socket, request: bytes) -> None:
    connection.sendall(request)
    if not connection.recv(65536):
        raise SystemExit(1)


if __name__ == "__main__":
    sys.exit(main())

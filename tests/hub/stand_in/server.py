"""The stand-in on a local port."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .answers import Request, answer
from .store import Hub


@contextmanager
def served(hub: Hub, port: int = 0) -> Iterator[str]:
    """Serve while the block runs; gives the address, as `HF_ENDPOINT` takes it. Port 0 picks a free one."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _handler(hub))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, self.path, self.headers["Host"], headers, self.rfile.read(length))
            with hub.lock:
                hub.requests.append(f"{self.command} {self.path}")
                found = answer(hub, request)
            self.send_response(found.status)
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(found.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(found.body)

        do_GET = do_HEAD = do_POST = _answer

        def log_message(self, format: str, *arguments: Any) -> None:
            """The test prints, not the server."""

    return Handler

"""Prometheus metrics and a health check on a loopback port: counters only, nothing about anybody."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from secure_chat.server.errors import ConfigurationError

__all__ = ["Metric", "MetricsServer"]

Metric = tuple[str, str, str, float]
"""Name, type (`counter` or `gauge`), help and value."""


class MetricsServer:
    """Answers `GET /metrics` and `GET /health`."""

    def __init__(
        self, host: str, port: int, collect: Callable[[], list[Metric]], healthy: Callable[[], str | None]
    ) -> None:
        """`healthy` returns None, or what is wrong; raises ConfigurationError where it can't listen on loopback."""
        if host not in ("127.0.0.1", "localhost"):
            raise ConfigurationError(f"metrics: {host} is not loopback; let a proxy ask 127.0.0.1 and hand it on")

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/metrics":
                    self._answer(200, "text/plain; version=0.0.4; charset=utf-8", _text(collect()))
                elif self.path == "/health":
                    problem = healthy()
                    self._answer(503 if problem else 200, "text/plain; charset=utf-8", (problem or "ok") + "\n")
                else:
                    self._answer(404, "text/plain; charset=utf-8", "here are /metrics and /health\n")

            def _answer(self, status: int, kind: str, text: str) -> None:
                body = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """A scrape every few seconds is not worth a line."""

        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        except OSError as error:
            raise ConfigurationError(f"metrics: can't listen on {host}:{port}: {error.strerror}") from None
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)

    @property
    def port(self) -> int:
        """The real port where 0 was asked for."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Starts answering."""
        self._thread.start()

    def stop(self) -> None:
        """Ends."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _text(metrics: list[Metric]) -> str:
    lines: list[str] = []
    for name, kind, description, value in metrics:
        lines += [f"# HELP {name} {description}", f"# TYPE {name} {kind}", f"{name} {value:.15g}"]
    return "\n".join(lines) + "\n"

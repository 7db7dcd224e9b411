"""A collector of spans as far as OTLP over HTTP goes: it takes them, or is dead, slow, rude or unwilling."""

import gzip
import json
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Collector:
    """`answers` are statuses for the next requests, after which all are taken. 0 keeps the caller waiting."""

    def __init__(self, port: int = 0, answers: tuple[int, ...] = ()):
        self.spans: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.seen: list[dict[str, Any]] = []
        self.refused = 0
        self._answers = list(answers)
        self._is_open = threading.Event()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                status = collector._answers.pop(0) if collector._answers else 200
                if status == 0:
                    collector.refused += 1
                    collector._is_open.wait()
                    return
                if status == 200:
                    assert self.path == "/v1/traces"
                    assert self.headers["content-type"] == "application/json"
                    assert self.headers["content-encoding"] == "gzip"
                    collector.take(json.loads(gzip.decompress(body)))
                else:
                    collector.refused += 1
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def take(self, document):
        for resource in document["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    self.seen.append(span)
                    self.spans.put(span)

    def next(self, name: str) -> dict[str, Any]:
        """The next span of that name; others are passed over."""
        while True:
            span = self.spans.get(timeout=20)
            if span["name"] == name:
                return span

    def close(self):
        self._is_open.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

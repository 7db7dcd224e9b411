"""Fixtures that every test may use."""

import signal
import socket

import pytest

from tests.processes import Server

# Where tests run in the background, a shell has Ctrl-C ignored, and so would every process that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def free_port():
    """A port of this machine that nobody listens on: taken by the test, not listened on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture
def server(tmp_path):
    """A real `aether serve` in a process and a folder of its own, on a port that the system chose."""
    with Server(tmp_path) as running:
        yield running

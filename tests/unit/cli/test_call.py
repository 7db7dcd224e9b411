"""One question on a blocking socket: whatever the other side does, the command ends, and says what happened."""

import socket
import threading
from contextlib import contextmanager

import pytest

from aether.cli.call import Caller
from aether.errors import DeadlineExceeded, InvalidArgument, ServerUnavailable
from aether.wire.generated.aether.v1 import client_pb2

STATUS = "/aether.v1.ClientService/GetWorkflowStatus"
REQUEST = client_pb2.GetStatusRequest(workflow_id="x")


@contextmanager
def peer(behave):
    """A listener that gives its first connection to `behave`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept():
            connection = listener.accept()[0]
            with connection:
                behave(connection)

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            thread.join(10)
            assert not thread.is_alive()


def say_http1(connection):
    connection.recv(1024)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def hang_up(connection):
    connection.recv(1024)


def read_to_the_end(connection):
    while connection.recv(65536):
        pass


@pytest.mark.parametrize("behave", [say_http1, hang_up])
def test_a_peer_that_is_no_server_is_unavailable(behave):
    with peer(behave) as url, pytest.raises(ServerUnavailable, match="http:"):
        Caller(url).unary(STATUS, REQUEST)


def test_a_peer_that_says_nothing_is_not_waited_for_without_end():
    with peer(read_to_the_end) as url, pytest.raises(DeadlineExceeded, match=r"within 0\.2 s"):
        Caller(url, 0.2).unary(STATUS, REQUEST)


def test_a_peer_without_tls_is_not_asked_over_tls():
    with peer(say_http1) as url, pytest.raises(ServerUnavailable, match="no server answers at https"):
        Caller(url.replace("http", "https")).unary(STATUS, REQUEST)


@pytest.mark.parametrize(
    "target",
    [
        "",
        "localhost",
        "localhost:7233",
        "ftp://x",
        "http://",
        "http://x:0",
        "http://x:99999",
        "http://x:y",
        "http://[x",
        "http://a..b",
    ],
)
def test_an_address_is_refused_before_anything_is_tried(target):
    with pytest.raises(InvalidArgument, match="is no address of a server") as raised:
        Caller(target).unary(STATUS, REQUEST)
    assert raised.value.field == "--server"


def test_a_method_that_the_server_does_not_have_is_its_fault(server):
    with pytest.raises(Exception, match="NoSuch") as raised:
        Caller(server.url).unary("/aether.v1.ClientService/NoSuch", REQUEST)
    assert type(raised.value).__name__ == "ServerFault"


def test_a_stream_where_one_answer_was_expected_is_no_aether_server(server):
    with pytest.raises(ServerUnavailable, match="gave 0 answers"):
        Caller(server.url).unary("/aether.v1.AdminService/ListWorkflows", client_pb2.GetStatusRequest())

"""A server that other machines may reach: encrypted, and only for clients that prove who they are."""

import subprocess

import pytest

from aether.cli.exit_codes import ExitCode
from tests.processes import Server, aether


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """An authority, and what it has signed for a server and for a client."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=60)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    authority = ("-addext", "keyUsage=critical,keyCertSign,cRLSign", "-subj", "/CN=test authority", "-days", "2")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", *authority)
    (folder / "names").write_text(
        "subjectAltName=DNS:localhost,IP:127.0.0.1\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
    )
    for name in ("server", "client"):
        openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names")
        openssl("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", *signed)
    return folder


@pytest.fixture
def guarded(tmp_path, certificates):
    options = ("--tls-cert", "server.pem", "--tls-key", "server.key", "--tls-client-ca", "ca.pem")
    paths = [str(certificates / option) if "." in option else option for option in options]
    with Server(tmp_path, *paths) as running:
        yield running


def test_a_client_with_a_certificate_is_served(guarded, certificates):
    assert guarded.url.startswith("https://127.0.0.1:")
    done = aether(
        "workflow", "list", cwd=certificates, AETHER_SERVER=guarded.url, AETHER_SERVER_CA="ca.pem",
        AETHER_CLIENT_CERT="client.pem", AETHER_CLIENT_KEY="client.key",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("WORKFLOW\t")


@pytest.mark.parametrize("trust", [{"AETHER_SERVER_CA": "ca.pem"}, {}])
def test_one_without_or_one_that_does_not_trust_the_server_is_not(guarded, certificates, trust):
    done = aether("workflow", "list", cwd=certificates, AETHER_SERVER=guarded.url, **trust)
    assert done.returncode == ExitCode.UNREACHABLE
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_a_key_that_can_not_be_read_is_named(guarded, certificates):
    done = aether("workflow", "list", cwd=certificates, AETHER_SERVER=guarded.url, AETHER_CLIENT_CERT="gone.pem")
    assert done.returncode == ExitCode.USAGE
    assert "gone.pem" in done.stderr


def test_a_server_with_files_that_are_no_certificates_says_so(tmp_path, certificates):
    (tmp_path / "junk.pem").write_text("junk")
    done = aether("serve", "--grpc-port", "0", "--tls-cert", "junk.pem", "--tls-key", "junk.pem", cwd=tmp_path)
    assert done.returncode == ExitCode.USAGE
    assert "Traceback" not in done.stderr
    assert "junk.pem" in done.stderr

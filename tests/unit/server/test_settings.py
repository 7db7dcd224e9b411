"""Where settings come from, which one counts, and how faults are told."""

import re
from pathlib import Path

import pytest

from aether.errors import SettingsError
from aether.server.settings import (
    OPTIONS,
    LogFormat,
    LogLevel,
    Persistence,
    Settings,
    config_path,
    is_loopback,
    load_settings,
)

SAMPLE = Path(__file__).parents[3] / "aether.toml"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def faults_of(flags=None, environ=None, toml=None):
    if toml is not None:
        Path("aether.toml").write_text(toml)
    with pytest.raises(SettingsError) as raised:
        load_settings(flags, environ)
    return list(raised.value.faults)


def test_without_any_source_the_defaults_hold():
    assert load_settings() == Settings()
    assert Settings().location == "data/aether.db"
    assert Settings().persistence is Persistence.STATE_ACTION_LOG


def test_a_flag_beats_the_environment_which_beats_the_file():
    Path("aether.toml").write_text(
        '[server]\ngrpc_port = 1\nsession_timeout_s = 20\ngrpc_host = "::1"\n[log]\nlevel = "debug"\n'
    )
    settings = load_settings(
        {"grpc_port": "3"}, {"AETHER_GRPC_PORT": "2", "AETHER_SESSION_TIMEOUT_S": "30.5", "AETHER_LOG_FORMAT": "json"}
    )
    assert (settings.grpc_port, settings.session_timeout_s, settings.grpc_host) == (3, 30.5, "::1")
    assert (settings.log_format, settings.log_level) == (LogFormat.JSON, LogLevel.DEBUG)


def test_memory_mode_opens_the_store_in_memory():
    assert load_settings({"persistence": "memory"}).location == "memory"


def test_a_database_is_refused_in_memory_mode_unless_the_mode_is_set_on_top_of_it():
    words = "names a database, and mode memory keeps nothing in one: leave out either"
    memory, database = '[persistence]\nmode = "memory"\n', '[server]\ndb_path = "a.db"\n'
    assert faults_of({"persistence": "memory", "db_path": "a.db"}) == [f"--db {words}"]
    assert faults_of({"db_path": "a.db"}, {"AETHER_PERSISTENCE": "memory"}) == [f"--db {words}"]
    assert faults_of({}, {"AETHER_DB": "a.db"}, memory) == [f"AETHER_DB {words}"]
    assert faults_of({}, {}, database + memory) == [f"aether.toml:2: server.db_path {words}"]
    Path("aether.toml").write_text(database)
    assert load_settings({"persistence": "memory"}, {"AETHER_DB": "b.db"}).location == "memory"
    assert load_settings({"persistence": "snapshot"}, {"AETHER_DB": "b.db"}).location == "b.db"


def test_every_fault_of_every_source_is_reported_at_once_with_its_place():
    assert faults_of(
        {"grpc_port": "abc", "drain_deadline_s": "-1"},
        {"AETHER_SESSION_TIMEOUT_S": "soon", "AETHER_INSECURE": "perhaps"},
        '[server]\ngrpc_host = ""\n\n[persistence]\nmode = "snapshots"\n[log]\nlevel = 3\n',
    ) == [
        "aether.toml:2: server.grpc_host must be an address or a host name, not ''",
        "aether.toml:5: persistence.mode must be one of memory, snapshot, state-action-log, not 'snapshots'",
        "aether.toml:7: log.level must be one of debug, info, warning, error, not 3",
        "AETHER_SESSION_TIMEOUT_S must be a number of seconds, 1..3600, not 'soon'",
        "AETHER_INSECURE must be true or false, not 'perhaps'",
        "--grpc-port must be 0..65535, not 'abc'",
        "--drain-deadline-s must be a number of seconds, 0..86400, not '-1'",
    ]


@pytest.mark.parametrize("value", ["99999", "-1", "true", "7233.5", '"72 33"', "[]", f'"{"9" * 5000}"'])
def test_a_port_is_a_whole_number_in_its_range(value):
    (fault,) = faults_of(toml=f"# our server\n[server]\ngrpc_port = {value}\n")
    assert fault.startswith("aether.toml:3: server.grpc_port must be 0..65535, not ")
    assert len(fault) < 130


@pytest.mark.parametrize("value", ["nan", "inf", "true", "[1]", "1" + "0" * 400, "0.5"])
def test_a_duration_is_a_number_in_its_range(value):
    (fault,) = faults_of(toml=f"[server]\nsession_timeout_s = {value}\n")
    assert fault.startswith("aether.toml:2: server.session_timeout_s must be a number of seconds, 1..3600, not ")


@pytest.mark.parametrize(
    ("toml", "fault"),
    [
        ("[server]\ngrpc_prot = 1\n", "2: unknown key server.grpc_prot, did you mean server.grpc_port?"),
        ("grpc_port = 1\n", "1: unknown key grpc_port, did you mean server.grpc_port?"),
        ("[log]\nmode = 'memory'\n", "2: unknown key log.mode, did you mean persistence.mode?"),
        ("[server]\nxyzzy = 1\n", "2: unknown key server.xyzzy"),
        ("\n[metric]\nenabled = true\n", "2: unknown section [metric], did you mean [metrics]?"),
        ("[persistance]\nmode = 'memory'\n", "1: unknown section [persistance], did you mean [persistence]?"),
        ("server = 3\n", "1: [server] must be a section, not 3"),
        ("[server.more]\nport = 3\n", "1: unknown key server.more"),
        ("server.grpc_port = -1\n", "1: server.grpc_port must be 0..65535, not -1"),
        ("\nserver = { grpc_port = -1 }\n", "2: server.grpc_port must be 0..65535, not -1"),
        ('[ "server" ]\n\n"grpc_port" = -1\n', "3: server.grpc_port must be 0..65535, not -1"),
        ("[server]\ngrpc_port = \n", "2: Invalid value"),
        ("[server]\ngrpc_port = 1\ngrpc_port = 2\n", "3: Cannot overwrite a value"),
        ("[server\n", "1: Expected ']' at the end of a table declaration"),
        ('[server]\ndb_path = "', "2: Unterminated string"),
    ],
)
def test_a_fault_of_the_file_names_its_line(toml, fault):
    assert faults_of(toml=toml) == [f"aether.toml:{fault}"]


def test_a_file_that_can_not_be_read_is_a_fault(tmp_path):
    for name, content, words in [
        ("missing.toml", None, "can not be read: No such file or directory"),
        ("binary.toml", b"\xff\xfe", "is not text in UTF-8"),
        ("large.toml", b"#" * (1024 * 1024 + 1), "larger than 1048576 bytes, which no file of settings is"),
    ]:
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(SettingsError) as raised:
            load_settings(config=path)
        assert raised.value.faults == (f"{path}: {words}",)


def test_the_file_may_be_named_by_argument_or_variable():
    Path("one.toml").write_text("[server]\ngrpc_port = 1\n")
    Path("two.toml").write_text("[server]\ngrpc_port = 2\n")
    assert load_settings(environ={"AETHER_CONFIG": "one.toml"}).grpc_port == 1
    assert load_settings(environ={"AETHER_CONFIG": "one.toml"}, config=Path("two.toml")).grpc_port == 2


def test_a_relative_path_in_a_file_counts_from_that_file(tmp_path):
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "a.toml").write_text('[server]\ndb_path = "x.db"\n')
    assert load_settings(config=folder / "a.toml").db_path == folder / "x.db"
    assert load_settings({"db_path": "x.db"}, config=folder / "a.toml").db_path == Path("x.db")


def test_variables_of_other_programs_are_left_alone():
    assert load_settings(environ={"AETHER_PORT": "tcp://10.0.0.1:7233", "AETHER_SERVICE_HOST": "x"}) == Settings()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("memory", "must be a path (to keep nothing on disk, set persistence.mode to \"memory\"), not 'memory'"),
        ("mysql://u:secret@h/db", "must be the path of an SQLite file, or custom+NAME://…, not 'mysql://…'"),
        ("", "must be a path, not ''"),
        ("a\0b", "must be a path, not 'a\\x00b'"),
    ],
)
def test_a_database_is_a_path(value, words):
    assert faults_of({"db_path": value}) == [f"--db {words}"]
    assert faults_of(environ={"AETHER_DB": value}) == [f"AETHER_DB {words}"]
    if "\0" not in value:
        assert faults_of(toml=f"[server]\ndb_path = '{value}'") == [f"aether.toml:2: server.db_path {words}"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org"])
def test_a_door_to_the_network_needs_proof_of_identity_or_the_word_insecure(host):
    (fault,) = faults_of({"grpc_host": host})
    assert fault == (
        f"--grpc-host {host} is no address of this machine alone, so others may reach it: set tls.cert, "
        "tls.key and tls.client_ca so that "
        "clients prove who they are, or allow everybody with --insecure"
    )
    assert load_settings({"grpc_host": host, "insecure": True}).insecure
    assert load_settings({"grpc_host": host}, {"AETHER_INSECURE": "yes"}).insecure


def test_encryption_alone_does_not_open_the_door():
    for name in ("cert.pem", "key.pem", "ca.pem"):
        Path(name).write_text("x")
    half = {"grpc_host": "0.0.0.0", "tls_cert": "cert.pem", "tls_key": "key.pem"}
    (fault,) = faults_of(half)
    assert "so others may reach it" in fault
    settings = load_settings(half | {"tls_client_ca": "ca.pem"})
    assert (settings.tls_cert, settings.tls_key, settings.tls_client_ca) == (
        Path("cert.pem"),
        Path("key.pem"),
        Path("ca.pem"),
    )


def test_certificates_do_not_open_windows_where_nobody_is_asked_who_they_are():
    for name in ("cert.pem", "key.pem", "ca.pem"):
        Path(name).write_text("x")
    guarded = {"tls_cert": "cert.pem", "tls_key": "key.pem", "tls_client_ca": "ca.pem"}
    (fault,) = faults_of(guarded | {"metrics_host": "0.0.0.0"})
    assert fault.startswith("--metrics-host 0.0.0.0 can be reached from other machines")
    assert load_settings({"metrics_host": "0.0.0.0", "insecure": True}).metrics_host == "0.0.0.0"


def test_a_page_that_asks_for_a_token_may_be_seen_from_other_machines():
    Path("token").write_text("0123456789abcdef\n")
    (fault,) = faults_of({"http_host": "0.0.0.0"})
    assert "set web.token_file, keep it on 127.0.0.1 behind a proxy, or allow everybody with --insecure" in fault
    settings = load_settings({"http_host": "0.0.0.0", "web_token_file": "token"})
    assert settings.web_token_file == Path("token")
    # It opens no other door.
    assert len(faults_of({"grpc_host": "0.0.0.0", "metrics_host": "0.0.0.0", "web_token_file": "token"})) == 2


@pytest.mark.parametrize("text", [b"", b"short", b"two words of a secret", b"\xff" * 20, "gehäuse-schlüssel".encode()])
def test_a_token_is_long_and_plain_and_told_to_nobody(text):
    Path("token").write_bytes(text)
    (fault,) = faults_of({"web_token_file": "token"})
    assert fault.startswith("--web-token-file must be a file that holds a token: 16 to 1000")
    assert fault.endswith("not 'token'")


def test_it_is_known_what_somebody_has_set_be_it_to_its_default():
    settings = load_settings({"metrics_port": "9090"}, {"AETHER_GRPC_PORT": "7233"})
    assert settings.given == {"metrics_port": "--metrics-port", "grpc_port": "AETHER_GRPC_PORT"}


def test_files_of_tls_belong_together_and_must_exist():
    Path("here.pem").write_text("x")
    assert faults_of({"tls_cert": "here.pem"}) == ["--tls-cert is set without tls.key: a server needs both"]
    assert faults_of(toml="[tls]\nkey = 'here.pem'\n") == [
        "aether.toml:2: tls.key is set without tls.cert: a server needs both"
    ]
    Path("aether.toml").unlink()
    assert faults_of({"tls_client_ca": "here.pem"}) == ["--tls-client-ca is set without tls.cert and tls.key"]
    assert faults_of({"tls_cert": "here.pem", "tls_key": "gone.pem"}) == [
        "--tls-key must be an existing file, not 'gone.pem'"
    ]


def test_a_key_that_may_not_be_read_is_told_at_once(monkeypatch):
    Path("here.pem").write_text("x")
    Path("locked.pem").write_text("x")
    readable = {"here.pem": True, "locked.pem": False}  # file modes mean nothing to root, who may run the tests
    monkeypatch.setattr("aether.server.settings.os.access", lambda path, mode: readable[path.name])
    assert faults_of({"tls_cert": "here.pem", "tls_key": "locked.pem"}) == [
        "--tls-key must be a readable file, not 'locked.pem'"
    ]


def test_addresses_of_this_machine_are_known():
    assert all(is_loopback(host) for host in ("127.0.0.1", "127.8.8.8", "::1", "::1%lo", "localhost"))
    assert not any(is_loopback(host) for host in ("0.0.0.0", "::", "10.0.0.1", "localhost.example.org"))


def test_the_sample_shows_every_setting_with_its_default_and_names():
    text = SAMPLE.read_text()
    assert load_settings(config=SAMPLE) == Settings()
    section, shown = "", {}
    for line in text.splitlines():
        if match := re.fullmatch(r"\[(\w+)\]", line):
            section = match[1]
        elif match := re.fullmatch(r"# (\w+) = (\S+) +# (--\S+) +(AETHER_\S+)", line):
            shown[f"{section}.{match[1]}"] = match.groups()[1:]
    assert list(shown) == [option.key for option in OPTIONS]
    for option in OPTIONS:
        assert shown[option.key][1:] == (option.flag, option.variable)
    with_defaults = re.sub(r"^# (\w+ = )", r"\1", text.partition("[tls]")[0], flags=re.MULTILINE)
    Path("aether.toml").write_text(with_defaults)
    assert load_settings() == Settings()
    assert [getattr(Settings(), option.field) for option in OPTIONS if option.key.startswith("tls.")] == [None] * 3


def test_the_file_is_the_nearest_of_the_repository_then_that_of_the_user(tmp_path, monkeypatch):
    repository, home = tmp_path / "outer" / "repository", tmp_path / "home"
    below = repository / "src" / "app"
    below.mkdir(parents=True)
    (repository / ".git").mkdir()
    (home / ".config" / "aether").mkdir(parents=True)
    (home / "xdg" / "aether").mkdir(parents=True)
    places = [
        below / "aether.toml",
        repository / "aether.toml",
        home / "xdg" / "aether" / "aether.toml",
        home / ".config" / "aether" / "aether.toml",
    ]
    outside = tmp_path / "outer" / "aether.toml"
    for number, place in enumerate([*places, outside]):
        place.write_text(f"[server]\ngrpc_port = {1000 + number}\n")
    environ = {"HOME": str(home), "XDG_CONFIG_HOME": str(home / "xdg")}
    monkeypatch.chdir(below)
    for number, place in enumerate(places):
        assert load_settings(environ=environ).grpc_port == 1000 + number
        place.unlink()
        if number == 2:
            del environ["XDG_CONFIG_HOME"]
    # What lies outside of the repository is somebody else's.
    assert config_path(None, {}) in {None, Path("/etc/aether/aether.toml")}
    assert config_path(Path("mine.toml"), environ) == Path("mine.toml")

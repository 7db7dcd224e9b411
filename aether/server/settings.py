"""Settings of a server: flags, then AETHER_* variables, then aether.toml, then defaults.

`OPTIONS` is the one table of what can be set; the sample file, the flags of `aether serve` and the documentation are
held against it by tests. Loading goes through all sources before it complains, so that one look at the message is
enough to mend everything: each fault is a line that says where the value stands, what would be right and what is there.

Variables that begin with AETHER_ and are not in the table are left alone: container platforms make up such names for
services (AETHER_PORT, AETHER_SERVICE_HOST, …), and a server must not die of them.
"""

import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path

from attrs import field, frozen

from aether.errors import SettingsError
from aether.model.limits import CLOSED_RUNS_MAX, DEFAULT_LIMITS, SNAPSHOT_INTERVAL_S
from aether.server.toml_lines import read_leaves

CONFIG_NAME = "aether.toml"
CONFIG_VARIABLE = "AETHER_CONFIG"
_DAY_S = 24 * 3600.0


class Persistence(StrEnum):
    """What an acknowledgement means."""

    MEMORY = "memory"
    SNAPSHOT = "snapshot"
    STATE_ACTION_LOG = "state-action-log"


class LogFormat(StrEnum):
    """AUTO is CONSOLE where a person looks, and JSON elsewhere."""

    AUTO = "auto"
    CONSOLE = "console"
    JSON = "json"


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class StoreUrl(str):
    """Names a store that is no SQLite file: `custom+NAME://…`."""

    __slots__ = ()


def _place(value: str | Path) -> Path | StoreUrl:
    return value if isinstance(value, StoreUrl) else Path(value)


@frozen
class Settings:
    """Everything that a server has to be told. Durations are seconds."""

    grpc_host: str = "127.0.0.1"
    grpc_port: int = 7233
    db_path: Path | StoreUrl = field(default=Path("data/aether.db"), converter=_place)
    session_timeout_s: float = DEFAULT_LIMITS.session_timeout_ms / 1000
    drain_deadline_s: float = 10.0
    insecure: bool = False
    persistence: Persistence = Persistence.STATE_ACTION_LOG
    snapshot_interval_s: float = SNAPSHOT_INTERVAL_S
    retention_closed_max: int = CLOSED_RUNS_MAX
    retention_closed_days: float = 0.0
    log_format: LogFormat = LogFormat.AUTO
    log_level: LogLevel = LogLevel.INFO
    log_payloads: bool = False
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    http_host: str = "127.0.0.1"
    http_port: int = 7234
    web_enabled: bool = True
    web_read_only: bool = False
    web_allowed_hosts: tuple[str, ...] = ()
    web_token_file: Path | None = None
    metrics_enabled: bool = True
    metrics_host: str = "127.0.0.1"
    metrics_port: int = 9090
    metrics_max_label_values: int = DEFAULT_LIMITS.metric_series_max
    traces_endpoint: str | None = None
    # The fields that somebody has set, be it to their defaults, and where.
    given: Mapping[str, str] = field(factory=dict, eq=False)

    @property
    def location(self) -> str:
        """What the store is opened with."""
        return "memory" if self.persistence is Persistence.MEMORY else str(self.db_path)


Parse = Callable[[object], object]


@frozen
class Option:
    """One setting and its names. `parse` raises ValueError with the rest of the sentence that the name begins."""

    field: str
    key: str
    parse: Parse
    about: str
    is_path: bool = False
    is_switch: bool = False

    @property
    def variable(self) -> str:
        return "AETHER_" + self.flag.removeprefix("--").replace("-", "_").upper()

    @property
    def flag(self) -> str:
        section, _, name = self.key.partition(".")
        short = {"server.db_path": "db", "persistence.mode": "persistence"}.get(self.key)
        words = short or (name if section in ("server", "persistence") else f"{section}_{name}")
        return "--" + words.replace("_", "-")


def _whole(low: int, high: int) -> Parse:
    def parse(value: object) -> int:
        wanted = f"must be {low}..{high}"
        if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,18}", value.strip()):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(wanted)
        return value

    return parse


def _seconds(low: float, high: float) -> Parse:
    return _number(low, high, "seconds")


def _number(low: float, high: float, unit: str) -> Parse:
    def parse(value: object) -> float:
        wanted = f"must be a number of {unit}, {low:g}..{high:g}"
        try:
            number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            raise ValueError(wanted) from None
        if not low <= number <= high:
            raise ValueError(wanted)
        return number

    return parse


def _choice(kind: type[StrEnum]) -> Parse:
    def parse(value: object) -> StrEnum:
        if not isinstance(value, str) or value not in list(kind):
            raise ValueError(f"must be {' or '.join(kind)}" if len(kind) == 2 else f"must be one of {', '.join(kind)}")
        return kind(value)

    return parse


def _switch(value: object) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or value.strip().lower() not in words:
        raise ValueError("must be true or false")
    return words[value.strip().lower()]


def _host(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9A-Za-z.:_%-]{1,253}", value):
        raise ValueError("must be an address or a host name")
    return value


def _hosts(value: object) -> tuple[str, ...]:
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ValueError("must be a list of host names")
    return tuple(_host(name.strip()) for name in names if name)


def _endpoint(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"https?://[0-9A-Za-z.:_\[\]-]+(/[!-~]*)?", value):
        raise ValueError("must be an address like http://127.0.0.1:4318")
    return value


def _path(value: object) -> Path:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("must be a path")
    return Path(value)


def _database(value: object) -> Path | StoreUrl:
    if value == "memory":
        raise ValueError('must be a path (to keep nothing on disk, set persistence.mode to "memory")')
    if isinstance(value, str) and re.match(r"custom\+[\w.-]+://", value):
        return StoreUrl(value)
    if isinstance(value, str) and "://" in value:
        raise ValueError("must be the path of an SQLite file, or custom+NAME://…")
    return _path(value)


def _file(value: object) -> Path:
    path = _path(value)
    if not path.is_file():
        raise ValueError("must be an existing file")
    if not os.access(path, os.R_OK):
        raise ValueError("must be a readable file")
    return path


def read_token(path: Path) -> str:
    """The token that a file holds; raises ValueError, without the token, if it is not one to rely on."""
    try:
        token = path.read_text("utf-8").strip()
    except UnicodeDecodeError:
        token = ""
    if not re.fullmatch(r"[!-~]{16,1000}", token):
        raise ValueError("must be a file that holds a token: 16 to 1000 letters, digits and signs, and no spaces")
    return token


def _token_file(value: object) -> Path:
    path = _file(value)
    read_token(path)
    return path


OPTIONS: Sequence[Option] = (
    Option("grpc_host", "server.grpc_host", _host, "address that the server listens on"),
    Option("grpc_port", "server.grpc_port", _whole(0, 65535), "port that the server listens on; 0: any free one"),
    Option("http_host", "server.http_host", _host, "address that the web page is served on"),
    Option("http_port", "server.http_port", _whole(0, 65535), "port of the web page; 0: any free one"),
    Option(
        "db_path",
        "server.db_path",
        _database,
        "database file, or custom+NAME://… for a store that a package brings",
        is_path=True,
    ),
    Option(
        "session_timeout_s",
        "server.session_timeout_s",
        _seconds(1, 3600),
        "a worker that is silent for longer loses its work to others",
    ),
    Option(
        "drain_deadline_s",
        "server.drain_deadline_s",
        _seconds(0, _DAY_S),
        "how long workers may finish what they have when the server is told to stop",
    ),
    Option(
        "insecure",
        "server.insecure",
        _switch,
        "let machines that do not prove who they are reach the server",
        is_switch=True,
    ),
    Option("persistence", "persistence.mode", _choice(Persistence), "what an acknowledgement means"),
    Option(
        "snapshot_interval_s",
        "persistence.snapshot_interval_s",
        _seconds(0.01, 3600),
        "in mode snapshot, how long what was acknowledged may wait for the disk",
    ),
    Option(
        "retention_closed_max",
        "retention.closed_max",
        _whole(0, 10**12),
        "closed runs that are kept, the newest; 0: all",
    ),
    Option(
        "retention_closed_days",
        "retention.closed_days",
        _number(0, 36_500, "days"),
        "how long closed runs are kept; 0: for ever",
    ),
    Option("log_format", "log.format", _choice(LogFormat), "how log lines are written"),
    Option("log_level", "log.level", _choice(LogLevel), "the least that is logged"),
    Option("log_payloads", "log.payloads", _switch, "log what failures of users' code say", is_switch=True),
    Option("web_enabled", "web.enabled", _switch, "serve the web page and its API", is_switch=True),
    Option("web_read_only", "web.read_only", _switch, "let the page and its API change nothing", is_switch=True),
    Option("web_allowed_hosts", "web.allowed_hosts", _hosts, "further names that the page may be reached by"),
    Option(
        "web_token_file",
        "web.token_file",
        _token_file,
        "file with the token that the page and its API ask for",
        is_path=True,
    ),
    Option("metrics_enabled", "metrics.enabled", _switch, "serve metrics for Prometheus", is_switch=True),
    Option("metrics_host", "metrics.host", _host, "address that metrics are served on"),
    Option("metrics_port", "metrics.port", _whole(0, 65535), "port that metrics are served on; 0: any free one"),
    Option(
        "metrics_max_label_values",
        "metrics.max_label_values",
        _whole(1, 10_000),
        "names of workflows, activities and queues that are told apart in metrics; the rest is __other__",
    ),
    Option("tls_cert", "tls.cert", _file, "certificate of the server, PEM", is_path=True),
    Option("tls_key", "tls.key", _file, "private key of the server, PEM", is_path=True),
    Option("tls_client_ca", "tls.client_ca", _file, "who signs the certificates of clients, PEM", is_path=True),
    Option("traces_endpoint", "traces.endpoint", _endpoint, "the OpenTelemetry collector that spans are sent to"),
)
_BY_KEY = {option.key: option for option in OPTIONS}
_SECTIONS = tuple(dict.fromkeys(option.key.partition(".")[0] for option in OPTIONS))


@frozen
class _Given:
    """A value as it was found, and the words that begin a sentence about it."""

    option: Option
    value: object
    where: str
    # Greater for a source that counts more.
    rank: int


def load_settings(
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    config: Path | None = None,
) -> Settings:
    """Settings from all sources; raises SettingsError with every fault of all of them.

    `flags` has values by field name of `Settings`. `config` must exist when it is given; without it the file is the one
    that AETHER_CONFIG names, or the first aether.toml of those that `_places` has. Relative paths in a file count from
    the folder of that file.
    """
    flags, environ = flags or {}, environ or {}
    faults: list[str] = []
    given: dict[str, _Given] = {}
    for found in (*_from_file(config_path(config, environ), faults), *_from_environ(environ), *_from_flags(flags)):
        given[found.option.field] = found
    values: dict[str, object] = {}
    for name, found in given.items():
        try:
            values[name] = found.option.parse(found.value)
        except ValueError as fault:
            faults.append(f"{found.where} {fault}, not {_shown(found.value)}")
    faults.extend(_contradictions(values, given))
    if faults:
        raise SettingsError(faults)
    return Settings(**values, given={name: found.where for name, found in given.items()})  # type: ignore[arg-type]  # each value was made by its option's parse


def is_loopback(host: str) -> bool:
    """Only programs on this machine can reach an address that this is true of."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _contradictions(values: Mapping[str, object], given: Mapping[str, _Given]) -> Iterator[str]:
    """Faults of values that are right by themselves."""
    if ("tls_cert" in given) != ("tls_key" in given):
        there, missing = ("tls_cert", "tls_key") if "tls_cert" in given else ("tls_key", "tls_cert")
        yield f"{given[there].where} is set without {_option(missing).key}: a server needs both"
    if "tls_client_ca" in given and not {"tls_cert", "tls_key"} & given.keys():
        yield f"{given['tls_client_ca'].where} is set without tls.cert and tls.key"
    if values.get("persistence") is Persistence.MEMORY and "db_path" in values:
        mode, database = given["persistence"], given["db_path"]
        # Whoever asks for memory on top of settings that name a database knows what he does.
        if database.rank >= mode.rank:
            yield f"{database.where} names a database, and mode memory keeps nothing in one: leave out either"
    host = values.get("grpc_host")
    is_insecure = values.get("insecure") or "insecure" in given.keys() - values.keys()
    guarded = is_insecure or "tls_client_ca" in given
    asks = {"http_host": "web_token_file" in given}
    for window, advice in (("http_host", "set web.token_file, "), ("metrics_host", "")):
        seen = values.get(window)
        if isinstance(seen, str) and not is_loopback(seen) and not is_insecure and not asks.get(window):
            yield (
                f"{given[window].where} {seen} can be reached from other machines, and nobody there is asked "
                f"who they are: {advice}keep it on 127.0.0.1 behind a proxy, or allow everybody with --insecure"
            )
    if isinstance(host, str) and not is_loopback(host) and not guarded:
        yield (
            f"{given['grpc_host'].where} {host} is no address of this machine alone, so others may reach it: set "
            "tls.cert, tls.key and tls.client_ca so that clients prove who they are, or allow everybody with --insecure"
        )


def _option(name: str) -> Option:
    return next(option for option in OPTIONS if option.field == name)


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    if "://" in text:  # may hold a password
        return text.partition("://")[0] + "://…'"
    return text if len(text) <= 60 else text[:59] + "…"


def _from_flags(flags: Mapping[str, object]) -> Iterator[_Given]:
    for name, value in flags.items():
        option = _option(name)
        yield _Given(option, value, option.flag, 2)


def _from_environ(environ: Mapping[str, str]) -> Iterator[_Given]:
    for option in OPTIONS:
        if option.variable in environ:
            yield _Given(option, environ[option.variable], option.variable, 1)


def config_path(config: Path | None, environ: Mapping[str, str]) -> Path | None:
    if config is not None:
        return config
    if environ.get(CONFIG_VARIABLE):
        return Path(environ[CONFIG_VARIABLE])
    return next((place for place in _places(environ) if place.is_file()), None)


def _places(environ: Mapping[str, str]) -> Iterator[Path]:
    """Where a file of settings is looked for: here, in the rest of the repository around it, of the user, of all."""
    yield Path(CONFIG_NAME)
    here = Path.cwd()
    parents = [here, *here.parents]
    root = next((number for number, each in enumerate(parents) if (each / ".git").exists()), 0)
    yield from (each / CONFIG_NAME for each in parents[1 : root + 1])
    home = environ.get("XDG_CONFIG_HOME") or (f"{environ['HOME']}/.config" if environ.get("HOME") else "")
    if home:
        yield Path(home) / "aether" / CONFIG_NAME
    yield Path("/etc/aether") / CONFIG_NAME


def _from_file(path: Path | None, faults: list[str]) -> Iterator[_Given]:
    if path is None:
        return
    try:
        leaves = read_leaves(path, _SECTIONS)
    except ValueError as fault:
        faults.append(str(fault))
        return
    for leaf in leaves:
        option, value, where = _BY_KEY.get(leaf.key), leaf.value, f"{path}:{leaf.line}:"
        if option is None:
            faults.append(f"{where} {_unknown(leaf.key, value)}")
            continue
        if option.is_path and isinstance(value, str) and value not in {"", "memory"} and "://" not in value:
            value = str(path.parent / value)
        yield _Given(option, value, f"{where} {leaf.key}", 0)


def _unknown(key: str, value: object) -> str:
    if key in _SECTIONS:
        return f"[{key}] must be a section, not {_shown(value)}"
    if isinstance(value, dict) and "." not in key:
        near = get_close_matches(key, _SECTIONS, 1)
        return f"unknown section [{key}]" + (f", did you mean [{near[0]}]?" if near else "")
    same_name = [known for known in _BY_KEY if known.partition(".")[2] == key.rpartition(".")[2]]
    near = same_name or get_close_matches(key, _BY_KEY, 1, cutoff=0.8)
    return f"unknown key {key}" + (f", did you mean {near[0]}?" if near else "")

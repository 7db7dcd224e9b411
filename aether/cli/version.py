"""`aether version`: of this command, and of the server if one answers."""

import platform

from aether.cli.call import Caller
from aether.cli.options import show_fields
from aether.cli.output import Cell, Format
from aether.errors import AetherError
from aether.version import VERSION
from aether.wire.generated.aether.v1 import admin_pb2

_PATIENCE_S = 2.0


def show_version(server: str, output: Format) -> None:
    found = ""
    try:
        answer = Caller(server, _PATIENCE_S).unary("/aether.v1.AdminService/GetMetrics", admin_pb2.GetMetricsRequest())
        found = admin_pb2.Metrics.FromString(answer).version
        said = f"{found} at {server}"
    except AetherError as error:
        said = str(error).partition(";")[0]
    fields: list[tuple[str, Cell]] = [("aether", VERSION), ("python", platform.python_version()), ("server", said)]
    document = {"aether": VERSION, "python": platform.python_version(), "server": found or None}
    show_fields(output, "version", fields, document, [VERSION])

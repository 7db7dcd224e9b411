"""Numbers as text for Prometheus: OpenMetrics 1.0, or the older text format 0.0.4.

A scrape is written in pieces, and the event loop has its turn between them. What stands before the numbers of a row
never changes, so it is made once: a server with thousands of series writes them in the time of one commit.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from attrs import frozen

from aether.core.histograms import Exemplar, Histogram

OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Lines in a piece: half a millisecond.
_PIECE = 1_000
_PREFIXES_MAX = 20_000

Labels = tuple[str, ...]


@frozen
class Family:
    """One metric. `name` is without the prefix, and without the suffix of a counter.

    `scale` is what the numbers are divided by, to be in the base unit.
    """

    name: str
    kind: str
    about: str
    labels: Labels = ()
    unit: str = ""
    scale: int = 1

    @property
    def full_name(self) -> str:
        return f"aether_{self.name}" if not self.name.startswith(("process_", "python_")) else self.name


Rows = Iterable[tuple[Labels, int | float | Histogram]]


class Exposition:
    """Writes families; keeps what is the same each time."""

    def __init__(self) -> None:
        self._prefixes: dict[tuple[Family, Labels], list[str]] = {}

    def pieces(self, families: Iterable[tuple[Family, Rows]], *, openmetrics: bool) -> Iterator[str]:
        lines: list[str] = []
        for family, rows in families:
            lines += _head(family, openmetrics=openmetrics)
            for labels, value in rows:
                prefixes = self._prefixes_of(family, labels, value)
                if isinstance(value, Histogram):
                    exemplars = value.exemplars if openmetrics else None
                    _add_histogram(lines, prefixes, value, family.scale, exemplars)
                else:
                    lines.append(f"{prefixes[0]}{_number(value, family.scale)}\n")
                if len(lines) >= _PIECE:
                    yield "".join(lines)
                    lines.clear()
        if openmetrics:
            lines.append("# EOF\n")
        yield "".join(lines)

    def _prefixes_of(self, family: Family, labels: Labels, value: float | Histogram) -> list[str]:
        key = (family, labels)
        found = self._prefixes.get(key)
        if found is None:
            if len(self._prefixes) >= _PREFIXES_MAX:
                self._prefixes.clear()
            found = self._prefixes[key] = _prefixes(family, labels, value)
        return found


def _prefixes(family: Family, labels: Labels, value: float | Histogram) -> list[str]:
    name = family.full_name
    pairs = [f'{label}="{escaped(text)}"' for label, text in zip(family.labels, labels, strict=True)]
    if not isinstance(value, Histogram):
        suffix = "_total" if family.kind == "counter" else ""
        return [f"{name}{suffix}{_braced(pairs)} "]
    bounds = [*(repr(bound / family.scale) for bound in value.bounds), "+Inf"]
    buckets = [f"{name}_bucket{_braced([*pairs, _le(bound)])} " for bound in bounds]
    return [*buckets, f"{name}_count{_braced(pairs)} ", f"{name}_sum{_braced(pairs)} "]


def _le(bound: str) -> str:
    return f'le="{bound}"'


def _braced(pairs: Sequence[str]) -> str:
    return f"{{{','.join(pairs)}}}" if pairs else ""


def _add_histogram(
    lines: list[str],
    prefixes: Sequence[str],
    histogram: Histogram,
    scale: int,
    exemplars: Mapping[int, Exemplar] | None,
) -> None:
    seen = 0
    first = len(lines)
    for prefix, count in zip(prefixes, histogram.counts, strict=False):
        seen += count
        lines.append(f"{prefix}{seen}\n")
    for bucket, exemplar in (exemplars or {}).items():
        lines[first + bucket] = f"{lines[first + bucket][:-1]}{_exemplar(exemplar, scale)}\n"
    lines.append(f"{prefixes[-2]}{seen}\n")
    lines.append(f"{prefixes[-1]}{_number(histogram.total, scale)}\n")


def _exemplar(exemplar: Exemplar, scale: int) -> str:
    at_s = exemplar.at / 1_000_000
    return f' # {{trace_id="{exemplar.trace_id}"}} {_number(exemplar.value, scale)} {at_s:.3f}'


def _number(value: float, scale: int) -> str:
    return repr(value if scale == 1 else value / scale)


def _head(family: Family, *, openmetrics: bool) -> Iterator[str]:
    name = family.full_name
    if family.kind == "counter" and not openmetrics:
        name += "_total"
    yield f"# HELP {name} {family.about}\n"
    yield f"# TYPE {name} {family.kind}\n"
    if family.unit and openmetrics:
        yield f"# UNIT {name} {family.unit}\n"


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

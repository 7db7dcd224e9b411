"""Numbers as text for Prometheus: OpenMetrics 1.0, or the older text format 0.0.4.

A scrape is written in pieces, and the event loop has its turn between them. What stands before the numbers of a row
never changes, so it is made once, and the text of a histogram is kept until something is observed: of thousands of
series most have not moved between two scrapes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from attrs import frozen

from aether.core.histograms import Exemplar, Histogram

OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Lines in a piece that have to be made: half a millisecond.
_PIECE = 1_000
_ROWS_MAX = 20_000

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


class _Row:
    """What stands before the numbers of a row, and of a histogram the text that was made of it last."""

    __slots__ = ("counts", "openmetrics", "prefixes", "text", "total")

    def __init__(self, prefixes: list[str]) -> None:
        self.prefixes = prefixes
        self.counts: list[int] = []
        self.total = 0
        self.openmetrics = False
        self.text = ""

    def written(self, histogram: Histogram, *, openmetrics: bool) -> str | None:
        """None if it is not as it was."""
        if self.counts == histogram.counts and self.total == histogram.total and self.openmetrics is openmetrics:
            return self.text
        return None

    def write(self, histogram: Histogram, scale: int, *, openmetrics: bool) -> str:
        self.counts, self.total, self.openmetrics = histogram.counts.copy(), histogram.total, openmetrics
        exemplars = histogram.exemplars if openmetrics else None
        self.text = _histogram_text(self.prefixes, histogram, scale, exemplars)
        return self.text


class Exposition:
    """Writes families; keeps what is the same each time."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, Labels], _Row] = {}

    def pieces(self, families: Iterable[tuple[Family, Rows]], *, openmetrics: bool) -> Iterator[str]:
        lines: list[str] = []
        work = 0
        for family, rows in families:
            lines += _head(family, openmetrics=openmetrics)
            for labels, value in rows:
                row = self._row_of(family, labels, value)
                work += 1
                if isinstance(value, Histogram):
                    text = row.written(value, openmetrics=openmetrics)
                    if text is None:
                        text = row.write(value, family.scale, openmetrics=openmetrics)
                        work += len(row.prefixes)
                    lines.append(text)
                else:
                    lines.append(f"{row.prefixes[0]}{_number(value, family.scale)}\n")
                if work >= _PIECE:
                    yield "".join(lines)
                    lines.clear()
                    work = 0
        if openmetrics:
            lines.append("# EOF\n")
        yield "".join(lines)

    def _row_of(self, family: Family, labels: Labels, value: float | Histogram) -> _Row:
        key = (family.name, labels)
        found = self._rows.get(key)
        if found is None:
            if len(self._rows) >= _ROWS_MAX:
                self._rows.clear()
            found = self._rows[key] = _Row(_prefixes(family, labels, value))
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


def _histogram_text(
    prefixes: Sequence[str], histogram: Histogram, scale: int, exemplars: Mapping[int, Exemplar] | None
) -> str:
    lines, seen = [], 0
    for prefix, count in zip(prefixes, histogram.counts, strict=False):
        seen += count
        lines.append(f"{prefix}{seen}\n")
    for bucket, exemplar in (exemplars or {}).items():
        lines[bucket] = f"{lines[bucket][:-1]}{_exemplar(exemplar, scale)}\n"
    lines.extend((f"{prefixes[-2]}{seen}\n", f"{prefixes[-1]}{_number(histogram.total, scale)}\n"))
    return "".join(lines)


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

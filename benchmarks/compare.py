"""The same workflows on Aether and on its peers, in one run, beside what the machine allows.

    python benchmarks/compare.py [--rounds 3] [--only aether,restate-python,…] [--scale 1] [--no-loads] [--write FOLDER]

Each round measures the limits of the machine, starts every contender anew on an empty database and gives it the same
loads, and then gives Aether those of `loads.py`, so that the machine's moods reach all of them. Prints medians over the
rounds; `--write` adds them as a table (Markdown), as JSON and as plots (those need `pip install 'aether[bench]'`).
Rates and latencies are worth something only beside others of the same run.
"""

import argparse
import asyncio
import json
import math
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from attrs import asdict, frozen

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import limits, loads
from benchmarks.contenders.field import FIELD, Contender
from benchmarks.limits import Limit
from benchmarks.processes import SyncCount, cpu_s, family


@frozen
class Load:
    name: str
    steps: int
    clients: int
    runs: int
    # Peers that take milliseconds where Aether takes microseconds are given less, or the run takes hours.
    runs_of_peers: int


LOADS = (
    Load("W1 one step, alone", 1, 1, 200, 40),
    Load("W1 one step, 64 at a time", 1, 64, 3_000, 320),
    Load("W2 ten steps, 64 at a time", 10, 64, 600, 64),
    Load("backlog of one step", 1, 2_000, 2_000, 500),
)
OURS = "aether"
# Where more clients are wanted, a smaller scale means fewer of them.
FEW = 64


@frozen
class Figures:
    """Of one load of one contender in one round. `syncs` of a workflow: None where nobody counted."""

    contender: str
    load: str
    workflows_s: float
    steps_s: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    syncs: float | None


def measure(contender: Contender, scale: float) -> list[Figures]:
    figures = []
    with tempfile.TemporaryDirectory() as folder, contender.running(Path(folder)) as running:
        for load in LOADS:
            runs = load.runs if contender.name.startswith(OURS) else load.runs_of_peers
            runs = max(load.clients if load.clients <= FEW else 1, int(runs * scale))
            clients = min(load.clients, runs)
            # The first runs load code and open connections.
            running.run({"steps": load.steps, "clients": min(clients, 8), "runs": 8})
            counted = SyncCount(family(running.pids))
            cpu_before = cpu_s(family(running.pids))
            answer = running.run({"steps": load.steps, "clients": clients, "runs": runs})
            cpu_ms = (cpu_s(family(running.pids)) - cpu_before) / runs * 1e3
            syncs = counted.stop()
            wall_s, latencies = float(answer["wall_s"]), sorted(answer["latencies_s"])  # type: ignore[arg-type,call-overload]
            figures.append(
                Figures(
                    contender.name,
                    load.name,
                    runs / wall_s,
                    runs * load.steps / wall_s,
                    latencies[len(latencies) // 2] * 1e3,
                    latencies[int(len(latencies) * 0.99)] * 1e3,
                    cpu_ms,
                    None if syncs is None else syncs / runs,
                )
            )
    return figures


def median(values: list[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return statistics.median(there) if there else None


def medians(rounds: list[Figures]) -> list[Figures]:
    """One row for each load and contender, as they first appear."""
    rows = []
    for load, contender in dict.fromkeys((figures.load, figures.contender) for figures in rounds):
        same = [asdict(figures) for figures in rounds if (figures.load, figures.contender) == (load, contender)]
        middle = {name: median([row[name] for row in same]) for name in list(same[0])[2:]}
        rows.append(Figures(contender, load, **middle))  # type: ignore[arg-type]
    return sorted(rows, key=lambda row: [load.name for load in LOADS].index(row.load))


def medians_of_limits(rounds: list[list[Limit]]) -> list[Limit]:
    rows = []
    for same in zip(*rounds, strict=True):
        per_s = statistics.median(limit.per_s for limit in same)
        rows.append(Limit(same[0].name, per_s, median([limit.p50_ms for limit in same])))
    return rows


def ratios(rounds: list[Figures]) -> dict[str, tuple[str, float]]:
    """By load: the fastest peer, and how many times as fast Aether was: the median of the rounds' own ratios."""
    found = {}
    for load in LOADS:
        rates: dict[str, list[float]] = {}
        for figures in rounds:
            if figures.load == load.name:
                rates.setdefault(figures.contender, []).append(figures.workflows_s)
        ours = rates.get(OURS)
        peers = {name: each for name, each in rates.items() if not name.startswith(OURS)}
        if ours and peers:
            fastest = max(peers, key=lambda name: statistics.median(peers[name]))
            each_round = [mine / other for mine, other in zip(ours, peers[fastest], strict=False)]
            found[load.name] = (fastest, statistics.median(each_round))
    return found


COLUMNS = ("contender", "workflows/s", "steps/s", "p50 ms", "p99 ms", "CPU ms each", "syncs each")


def cells(row: Figures) -> tuple[str, ...]:
    numbers = (f"{row.workflows_s:,.0f}", f"{row.steps_s:,.0f}", f"{row.p50_ms:,.1f}", f"{row.p99_ms:,.1f}")
    return (row.contender, *numbers, f"{row.cpu_ms:.2f}", "-" if row.syncs is None else f"{row.syncs:.2f}")


def show(rows: list[Figures], faster: dict[str, tuple[str, float]]) -> None:
    for load in LOADS:
        print(f"\n{load.name}")
        print("  {:26}{:>12}{:>10}{:>10}{:>10}{:>13}{:>12}".format(*COLUMNS))
        for row in rows:
            if row.load == load.name:
                print("  {:26}{:>12}{:>10}{:>10}{:>10}{:>13}{:>12}".format(*cells(row)))
        if load.name in faster:
            print("  {1:.1f} times {0}, the fastest peer".format(*faster[load.name]))


def show_loads(rows: list[loads.Row]) -> None:
    print("\nAether alone, SQLite, synchronous=FULL")
    for load, what, value, target in rows:
        print(f"  {load}  {what:50}{value:>10.1f}{'' if target is None else f'   target {target:g}'}")


def markdown(
    rows: list[Figures], faster: dict[str, tuple[str, float]], found: list[Limit], own: list[loads.Row]
) -> str:
    lines = []
    for load in LOADS:
        lines += [f"**{load.name}**", "", f"| {' | '.join(COLUMNS)} |", "|---" + "|---:" * (len(COLUMNS) - 1) + "|"]
        lines += [f"| {' | '.join(cells(row))} |" for row in rows if row.load == load.name]
        if load.name in faster:
            lines += ["", "{1:.1f} times {0}, the fastest peer.".format(*faster[load.name])]
        lines.append("")
    lines += ["| limits of the machine | per s | p50 ms |", "|---|---:|---:|"]
    for limit in found:
        lines.append(f"| {limit.name} | {limit.per_s:,.0f} | {'' if limit.p50_ms is None else f'{limit.p50_ms:.3f}'} |")
    lines += ["", "| Aether alone | | reached | target |", "|---|---|---:|---:|"]
    lines += [
        f"| {load} | {what} | {value:.1f} | {'' if aim is None else f'{aim:g}'} |" for load, what, value, aim in own
    ]
    return "\n".join(lines) + "\n"


def plot(rows: list[Figures], path: Path) -> None:
    import matplotlib as mpl  # type: ignore[import-not-found,unused-ignore]

    mpl.use("svg")
    from matplotlib import pyplot as plt  # type: ignore[import-not-found,unused-ignore]
    from matplotlib.ticker import NullFormatter  # type: ignore[import-not-found,unused-ignore]

    kinds = (("workflows_s", "workflows/s"), ("p50_ms", "p50, ms"), ("cpu_ms", "CPU of all processes, ms a workflow"))
    size = (4.5 * len(LOADS), 3.8 * len(kinds))
    picture, axes = plt.subplots(len(kinds), len(LOADS), figsize=size, layout="constrained", squeeze=False)
    for line, (name, title) in zip(axes, kinds, strict=True):
        for place, load in zip(line, LOADS, strict=True):
            shown = [row for row in rows if row.load == load.name]
            colours = ["tab:blue" if row.contender.startswith(OURS) else "tab:gray" for row in shown]
            values = [getattr(row, name) for row in shown]
            bars = place.barh([row.contender for row in shown], values, color=colours)
            place.bar_label(bars, fmt="%.3g", padding=2, fontsize=7)
            place.set_xscale("log")
            # From a whole power of ten to one, with room for the figures: bars of a logarithmic scale begin nowhere.
            place.set_xlim(10 ** (math.floor(math.log10(max(min(values), 0.001))) - 1), max(values) * 5)
            place.xaxis.set_minor_formatter(NullFormatter())
            place.invert_yaxis()
            place.set_title(f"{load.name}: {title}", fontsize=8)
            place.tick_params(labelsize=7)
    picture.savefig(path)


def write(folder: Path, told: dict[str, object], rows: list[Figures], table: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "compare.md").write_text(table)
    (folder / "compare.json").write_text(json.dumps({**told, "medians": [asdict(row) for row in rows]}, indent=1))
    try:
        plot(rows, folder / "compare.svg")
    except ModuleNotFoundError:
        print("no plots: they need matplotlib (pip install 'aether[bench]')", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=",".join(FIELD), help="contenders, with commas between")
    parser.add_argument("--scale", type=float, default=1.0, help="how many runs of a load, as a share of the default")
    parser.add_argument("--no-loads", action="store_true", help="leave out W3 to W8, which are for Aether alone")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="where table, JSON and plots go")
    options = parser.parse_args()
    chosen = [FIELD[name] for name in options.only.split(",")]
    rounds: list[Figures] = []
    machine: list[list[Limit]] = []
    own: list[list[loads.Row]] = []
    for number in range(1, options.rounds + 1):
        machine.append(limits.limits())
        for contender in chosen:
            print(f"round {number}: {contender.name} ({contender.durability})", file=sys.stderr)
            try:
                rounds += measure(contender, options.scale)
            except (OSError, RuntimeError, subprocess.SubprocessError, StopIteration) as fault:
                # Not installed, say, and without a network: the others are worth having all the same.
                print(f"{contender.name} is left out of this round: {fault}", file=sys.stderr)
        if not options.no_loads:
            print(f"round {number}: W3 to W8", file=sys.stderr)
            own.append([row for name in loads.LOADS for row in asyncio.run(loads.measure(name, "state-action-log"))])
    rows, faster = medians(rounds), ratios(rounds)
    found, alone = medians_of_limits(machine), loads.medians(own)
    show(rows, faster)
    limits.show(found)
    if alone:
        show_loads(alone)
    if options.write is not None:
        told: dict[str, object] = {
            "rounds": options.rounds,
            "scale": options.scale,
            "durability": {each.name: each.durability for each in chosen},
            "faster_than": faster,
            "limits": [asdict(limit) for limit in found],
            "alone": alone,
        }
        write(options.write, told, rows, markdown(rows, faster, found, alone))


if __name__ == "__main__":
    main()

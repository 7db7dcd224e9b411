"""The same workflows on Aether and on its peers, in one run.

    python benchmarks/compare.py [--rounds 3] [--only aether,restate,…] [--scale 1] [--write FOLDER]

Each round starts every contender anew on an empty database and gives it the same loads, so that the machine's moods
reach all of them. Prints medians over the rounds; `--write` adds them as JSON and as a plot (that needs matplotlib).
Rates and latencies are worth something only beside others of the same run.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

from attrs import asdict, frozen

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.contenders.field import FIELD, Contender
from benchmarks.processes import cpu_s


@frozen
class Load:
    name: str
    steps: int
    clients: int
    runs: int
    # Peers that take milliseconds where Aether takes microseconds are given less, or the run takes hours.
    runs_of_peers: int


LOADS = (
    Load("one step, alone", 1, 1, 200, 40),
    Load("one step, 64 at a time", 1, 64, 3_000, 320),
    Load("ten steps, 64 at a time", 10, 64, 600, 64),
    Load("backlog of one step", 1, 2_000, 2_000, 500),
)


@frozen
class Figures:
    """Of one load of one contender in one round."""

    contender: str
    load: str
    workflows_s: float
    steps_s: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float


def measure(contender: Contender, scale: float) -> list[Figures]:
    figures = []
    with tempfile.TemporaryDirectory() as folder, contender.running(Path(folder)) as running:
        for load in LOADS:
            runs = load.runs if contender.name.startswith("aether") else load.runs_of_peers
            clients = min(load.clients, runs)
            runs = max(clients, int(runs * scale))
            # The first runs load code and open connections.
            running.run({"steps": load.steps, "clients": min(clients, 8), "runs": 8})
            cpu_before = cpu_s(running.pids)
            answer = running.run({"steps": load.steps, "clients": clients, "runs": runs})
            wall_s, latencies = float(answer["wall_s"]), sorted(answer["latencies_s"])  # type: ignore[arg-type,call-overload]
            figures.append(
                Figures(
                    contender.name,
                    load.name,
                    runs / wall_s,
                    runs * load.steps / wall_s,
                    latencies[len(latencies) // 2] * 1e3,
                    latencies[int(len(latencies) * 0.99)] * 1e3,
                    (cpu_s(running.pids) - cpu_before) / runs * 1e3,
                )
            )
    return figures


def medians(rounds: list[Figures]) -> list[Figures]:
    """One row for each load and contender, as they first appear."""
    rows = []
    for load, contender in dict.fromkeys((figures.load, figures.contender) for figures in rounds):
        same = [asdict(figures) for figures in rounds if (figures.load, figures.contender) == (load, contender)]
        middle = {name: statistics.median(row[name] for row in same) for name in list(same[0])[2:]}
        rows.append(Figures(contender, load, **middle))
    return sorted(rows, key=lambda row: [load.name for load in LOADS].index(row.load))


def show(rows: list[Figures]) -> None:
    columns = ("contender", "workflows/s", "steps/s", "p50 ms", "p99 ms", "CPU ms each")
    for load in LOADS:
        print(f"\n{load.name}")
        print("  {:18}{:>12}{:>10}{:>10}{:>10}{:>13}".format(*columns))
        for row in rows:
            if row.load == load.name:
                values = (row.workflows_s, row.steps_s, row.p50_ms, row.p99_ms, row.cpu_ms)
                print("  {:18}{:>12.0f}{:>10.0f}{:>10.1f}{:>10.1f}{:>13.2f}".format(row.contender, *values))


def plot(rows: list[Figures], path: Path) -> None:
    import matplotlib as mpl  # type: ignore[import-not-found,unused-ignore]

    mpl.use("svg")
    from matplotlib import pyplot as plt  # type: ignore[import-not-found,unused-ignore]

    picture, axes = plt.subplots(1, len(LOADS), figsize=(4 * len(LOADS), 3.5), layout="constrained")
    for place, load in zip(axes, LOADS, strict=True):
        shown = [row for row in rows if row.load == load.name]
        place.barh([row.contender for row in shown], [row.workflows_s for row in shown])
        place.set_xscale("log")
        place.invert_yaxis()
        place.set_title(f"{load.name}: workflows/s", fontsize=9)
    picture.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=",".join(FIELD), help="contenders, with commas between")
    parser.add_argument("--scale", type=float, default=1.0, help="how many runs of a load, as a share of the default")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="where JSON and plot go")
    options = parser.parse_args()
    chosen = [FIELD[name] for name in options.only.split(",")]
    rounds: list[Figures] = []
    for number in range(1, options.rounds + 1):
        for contender in chosen:
            print(f"round {number}: {contender.name} ({contender.durability})", file=sys.stderr)
            rounds += measure(contender, options.scale)
    rows = medians(rounds)
    show(rows)
    if options.write is not None:
        options.write.mkdir(parents=True, exist_ok=True)
        told = {"rounds": options.rounds, "durability": {each.name: each.durability for each in chosen}}
        (options.write / "compare.json").write_text(json.dumps({**told, "medians": list(map(asdict, rows))}, indent=1))
        plot(rows, options.write / "compare.svg")


if __name__ == "__main__":
    main()

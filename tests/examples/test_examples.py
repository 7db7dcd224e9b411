"""Every example as a real process: alone, with the engine inside, and against a server."""

import pytest

from tests.processes import ROOT, Child

EXAMPLES = ROOT / "examples"
SAID = {
    "quickstart": ["Hello, World!", "result: Hello, World!"],
    "order_processing": [
        "Receipt(order_id='order-123', payment='tx-order-123-4200', tracking='TRK-order-123')",
        "failed: StepFailed: step 'check-inventory' failed: OutOfStockError: order-0",
    ],
    "batch": ["{'tea': 300, 'coffee': 600, 'cocoa': 500}", "/1.1.1 COMPLETED", "/1.2.1 COMPLETED", "/1.3.1 COMPLETED"],
    "crash_and_resume": ["killed", "ended with -9", "result: 14", "ended with 0"],
    "fork": ["KeyError: 'eur'", "invoice 17: 92", "events that both share: 3"],
    "human_approval": ["waiting for approval of laptop", "result: laptop approved by Ada"],
    "saga": [
        "booked flight",
        "cancelled hotel\ncancelled flight\n",
        "StepFailed: step 'book car' failed: RuntimeError: no car is left",
    ],
    "taking_turns": ["Cid has paid for cup", "2 charges at a time at most"],
    "test_order": ["survived ", " crashes at "],
    "main_job": ["result: TRK-tx-order-1-4200", "\tActivityRetried\t2\tcharge\t", "\tRunCompleted\t"],
}


def test_every_example_is_run_here():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(SAID)


def run(name, folder, **variables):
    with Child(str(EXAMPLES / f"{name}.py"), cwd=folder, **variables) as example:
        code, said = example.finish()
    assert code == 0, said
    assert not [words for words in SAID[name] if words not in said], said
    assert "Traceback" not in said
    return said


def steps_of(said):
    return [line.rpartition(" ")[2] for line in said.splitlines() if ": step " in line]


@pytest.mark.parametrize("name", SAID)
def test_it_runs_alone(name, tmp_path):
    said = run(name, tmp_path)
    assert (tmp_path / "data" / "aether.db").is_file() == (name not in {"main_job", "test_order"})
    if name == "crash_and_resume":
        assert steps_of(said) == ["1", "2", "3"]
    if name == "fork":
        assert said.count("drawing a number") == 1


@pytest.mark.parametrize("name", [name for name in SAID if name not in {"main_job", "test_order"}])
def test_it_runs_against_a_server(name, server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("elsewhere")
    said = run(name, folder, AETHER_SERVER=server.url)
    assert not list(folder.iterdir())
    if name == "crash_and_resume":
        assert steps_of(said) == ["1", "2", "3"]


def test_the_tests_of_an_example_are_tests_of_pytest(tmp_path):
    with Child("-m", "pytest", "-q", str(EXAMPLES / "test_order.py"), cwd=tmp_path) as tests:
        code, said = tests.finish()
    assert code == 0, said
    assert "3 passed" in said

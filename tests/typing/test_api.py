"""Both type checkers, at their strictest, accept the right uses in `api.py` and refuse the wrong ones."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def _check(*command):
    return subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "command",
    [
        ("mypy", "--strict", "--warn-unused-ignores", str(HERE / "api.py")),
        ("pyright", "-p", str(HERE), "--pythonpath", sys.executable),
    ],
    ids=["mypy", "pyright"],
)
def test_checkers_see_arguments_and_results_through_the_public_api(command):
    if importlib.util.find_spec(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed; it comes with aether[lint]")
    done = _check(*command)
    assert done.returncode == 0, done.stdout + done.stderr

"""Shipped to users who test their workflows: read `testbed.py` first. May import everything of ours.

testbed       tests as plain functions          environment   the server and the worker that they run in
crashes       crashes at every position         replays       new code against old histories
node, disk, wires                               a whole server in memory, without threads
seeded                                          Trio runs that can be repeated
"""

from aether.testing.crashes import CrashFaults, CrashReport
from aether.testing.environment import Environment, environment
from aether.testing.replays import load_history, replay
from aether.testing.testbed import Stuck, Testbed, crash_everywhere, run

__all__ = [
    "CrashFaults",
    "CrashReport",
    "Environment",
    "Stuck",
    "Testbed",
    "crash_everywhere",
    "environment",
    "load_history",
    "replay",
    "run",
]

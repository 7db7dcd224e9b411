"""What `aether doctor` finds: how bad it is, and what to do about it."""

from enum import StrEnum

from attrs import frozen


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@frozen
class Finding:
    level: Level
    subject: str
    text: str
    advice: str = ""

"""The only place of the SDK that draws random bits."""

import os


def new_id() -> str:
    """128 random bits in hexadecimal."""
    return os.urandom(16).hex()


def draw() -> float:
    """From 0 to 1, to spread retries of many clients."""
    return int.from_bytes(os.urandom(4)) / 2**32

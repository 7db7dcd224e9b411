"""The only place that draws random bits: ids that nobody can guess or repeat."""

import os


def new_id() -> str:
    """128 random bits in hexadecimal."""
    return os.urandom(16).hex()

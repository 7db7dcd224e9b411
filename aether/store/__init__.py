"""Disk: one Store interface and what implements it. Imports errors only. Read interface.py first.

`interface.py` says what a store promises, `format.py` how a stored event is protected, `memory.py` and
`sqlite.py` keep the promise, `open.py` picks one by its location. Nothing here knows Trio, leases or workflow
logic.
"""

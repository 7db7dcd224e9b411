"""Disk: one Store interface and what implements it. Imports errors only. Read interface.py first."""

"""Decisions: synchronous, no trio, no clock, no randomness, no I/O. Imports errors and model. Read engine.py first."""

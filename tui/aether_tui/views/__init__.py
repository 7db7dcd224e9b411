"""Panels: pure functions from what is known and chosen to a picture. Read `frame.py` first."""

"""Engines that do the same work on the same machine, each a program of its own; `field.py` starts them."""

"""Aether: durable workflows in plain Python."""

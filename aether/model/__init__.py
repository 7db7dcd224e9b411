"""Nouns of the engine: frozen attrs classes, ids, events, policies and limits. Imports nothing of ours but errors."""

"""Tasks and sockets: the nursery tree around the engine.

Imports errors, model, core, wire, store. Read serve.py first.
"""

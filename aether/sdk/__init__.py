"""What users import: client, workflow and activity definitions, context, replay, worker.

Imports errors, model, wire. Read define.py first.
"""

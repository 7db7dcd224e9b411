"""`aether top`: the terminal dashboard. It uses only the public client.

Replies become looks (`feed.py`), looks become what is known (`known.py`), and that with what was chosen (`ui.py`)
becomes a picture (`views/`): pure functions all the way. `app.py` has the tasks; read it first.
"""

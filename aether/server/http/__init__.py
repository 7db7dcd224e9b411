"""HTTP/1.1 for people and scrapers: the web page, its JSON API, the metrics port.

A window of the server, never a part that it needs: imported when the server is ready, restarted when it fails. Read
`connection.py` first. It may import what `aether.server` may, and h11.
"""

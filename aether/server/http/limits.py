"""Bounds of the HTTP server, each with its reason."""

from attrs import frozen


@frozen
class HttpLimits:
    """Sizes in bytes, durations in seconds."""

    # A browser opens six; ten people with ten tabs each, a scraper and room.
    # When all are taken, the one that waits longest without a request gives way to a new one.
    connections: int = 256
    # Request line and headers.
    head_max: int = 16 * 1024
    # A payload of two megabytes as JSON in JSON.
    body_max: int = 8 * 1024 * 1024
    # From who has not shown the token, if there is one: what a page sends that knows an older one.
    stranger_body_max: int = 64 * 1024
    # Until the head of a request is there: of the first from when the connection was made, of others from their first
    # byte.
    head_s: float = 10.0
    # The body after the head; slow senders are cut off.
    body_s: float = 20.0
    # For who is refused while it sends, to read why.
    linger_s: float = 2.0
    # Between an answer and the next request.
    idle_s: float = 75.0
    # One piece of an answer; a reader that takes longer is gone.
    send_s: float = 20.0
    # Pieces of a body are sent in no larger ones, so that the deadline means the same for all.
    send_piece: int = 256 * 1024


DEFAULT_HTTP_LIMITS = HttpLimits()

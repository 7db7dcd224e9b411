"""What became of spans, for the metrics."""

from attrs import define


@define
class TraceStats:
    """Since the server started."""

    sent: int = 0
    # Spans that the collector does not want.
    refused: int = 0
    # Events that nobody was told of, because too many waited.
    dropped: int = 0
    # Events in the log behind what was sent, when it was looked at last.
    behind: int = 0
    # Attempts to send that failed.
    failures: int = 0

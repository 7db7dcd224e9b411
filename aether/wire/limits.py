"""Every bound of the gRPC transport, with its reason."""

import attrs

KIB = 1024
MIB = 1024 * KIB


@attrs.frozen(kw_only=True)
class TransportLimits:
    """Bounds for one connection and for the listener. Durations in seconds, sizes in bytes."""

    message_bytes: int = 4 * MIB
    """One message, after decompression; what grpc itself allows by default, so peers expect it."""
    streams: int = 1_000
    """Open calls per connection; an SDK worker needs one, a busy gateway a few hundred."""
    connections: int = 4_000
    """Sockets that are served at once; below the usual descriptor limit once files and peers are added."""
    stream_window: int = MIB
    """What a peer may send on one stream before it is credited: one round trip at 100 Mbit/s and 80 ms."""
    connection_window: int = 16 * MIB
    """The same for all streams together: sixteen bulk uploads at full speed."""
    partial_bytes: int = 64 * MIB
    """Unfinished requests of one connection together: sixteen of the largest, so no upload eats the memory."""
    outbound_mark: int = 64 * KIB
    """A stream with more than this unsent is congested: four frames, enough to keep a socket busy."""
    outbound_stream_bytes: int = 16 * MIB
    """A stream that ignores the mark up to here is reset; four of the largest messages."""
    outbound_large_bytes: int = 48 * MIB
    """Unary answers above the mark that are under way at a time: less than a client of ours may hold unfinished."""
    outbound_unread_bytes: int = 128 * MIB
    """Unsent on a whole connection, small answers and streams too; beyond it the peer does not read, and is cut off."""
    write_bytes: int = 256 * KIB
    """Taken from the streams for one write to the socket; keeps turns short when many streams are ready."""
    header_list: int = 16 * KIB
    """Header list of one call (RFC 9113, 10.5.1); beyond it the call is refused, its neighbours are not."""
    header_block: int = 64 * KIB
    """Header block or list that ends the connection: decoding it only to refuse it would cost too much."""
    continuations: int = 16
    """CONTINUATION frames per header block: the block above in full frames needs four."""
    header_memo: int = 256
    """Header blocks whose decoded form is kept; one per method and metadata that a client really uses."""
    flood_window_s: float = 10.0
    """The span that the following counts are for."""
    resets: int = 2_000
    """Streams soon cancelled by the peer or refused for its faults: every open call twice."""
    lasting_s: float = 0.5
    """A call that is cancelled after so long is not counted: who waits for a result may give up, and ask again."""
    pings: int = 1_000
    """PING frames; bandwidth probes of grpc send about ten a second."""
    settings: int = 100
    """SETTINGS frames; real peers send a handful in the life of a connection."""
    noise: int = 100_000
    """Frames without a message (window updates, priorities, empty DATA): a reader may credit each frame."""
    control_bytes: int = 256 * KIB
    """Unsent replies to control frames: nothing more is read from a peer that does not read them."""
    handshake_s: float = 10.0
    """From accept to the peer's first SETTINGS, TLS included."""
    keepalive_s: float = 30.0
    """A peer with open calls that is silent for so long is asked whether it lives."""
    keepalive_timeout_s: float = 10.0
    """How long it may take to answer."""
    write_s: float = 60.0
    """One write of at most `write_bytes` may take so long, which is 4 KiB a second; a slower reader is given up."""
    linger_s: float = 1.0
    """How long a refused peer may take to read why."""

"""One line for each thing that somebody changes from outside: who asked for what."""

import trio

from aether.server.telemetry import Log, Throttle
from aether.wire.calls import Call

log = Log("aether.server")
_throttle = Throttle()


def asked(action: str, call: Call, **about: object) -> None:
    """Somebody asks for `action`; whether it was done, the history of the run says."""
    more = _throttle.admit(int(trio.current_time() * 1e6))
    if more is not None:
        log.info("action", action=action, **about, peer=call.peer, request_id=call.request_id, **more)

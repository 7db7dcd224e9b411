"""A real `aether serve` with short bounds, for tests that would otherwise have to wait for them."""

from attrs import evolve

from aether.cli.main import main
from aether.model.limits import DEFAULT_LIMITS
from aether.server import serve

vars(serve)["DEFAULT_LIMITS"] = evolve(DEFAULT_LIMITS, heartbeat_kept_ms=50)

if __name__ == "__main__":
    main()

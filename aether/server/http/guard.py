"""Who may ask what of the web port.

It stands on loopback, but a browser on this machine carries requests of any page it has open. Against those:

- The name in `Host` must be one of ours, on every request: a foreign name that was made to point here is refused.
- What changes something must be JSON, must not come from another origin as far as the browser says, and must carry the
  token that only pages of this origin can read. Programs that are no browsers need no token.
- The page is served with a policy that runs no script but its own files, and is shown in no frame.
"""

import re
from collections.abc import Iterable

from aether.server.entropy import new_id
from aether.server.http.messages import Headers, HttpError, Request

TOKEN_HEADER = "x-aether-token"  # noqa: S105 - a name
_OWN_NAMES = ("localhost", "127.0.0.1", "[::1]")
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.%]+\]|[^:\[\]/@]+)(?::[0-9]{1,5})?")
_READS = {"GET", "HEAD"}

SECURITY_HEADERS: Headers = (
    (
        "content-security-policy",
        (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
)


class Guard:
    """`token` is what pages of this origin show with each change; it lasts as long as the process."""

    def __init__(self, hosts: Iterable[str], *, read_only: bool) -> None:
        self.token = new_id()
        self.read_only = read_only
        self._names = {name.lower() for name in (*_OWN_NAMES, *hosts)}

    def check(self, request: Request) -> None:
        """Raises HttpError for what must not be answered."""
        host = request.headers.get("host", "")
        if not self._is_ours(host):
            raise HttpError(403, "this name is not among those that the server has; see web.allowed_hosts")
        if request.method in _READS:
            return
        if self.read_only:
            raise HttpError(403, "this page only looks: web.read_only is set")
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise HttpError(415, "changes are sent as application/json")
        origin = request.headers.get("origin")
        site = request.headers.get("sec-fetch-site")
        if origin is not None and origin.partition("://")[2].lower() != host.lower():
            raise HttpError(403, "a page of another origin may change nothing")
        if site not in {None, "same-origin"}:
            raise HttpError(403, "a page of another site may change nothing")
        is_browser = origin is not None or site is not None
        if is_browser and request.headers.get(TOKEN_HEADER) != self.token:
            raise HttpError(403, "the page is older than the server; load it again", code="TOKEN_EXPIRED")

    def _is_ours(self, host: str) -> bool:
        match = _HOST.fullmatch(host)
        return match is not None and match["name"].lower() in self._names

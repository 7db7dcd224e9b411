"""Who may ask what of the web port.

It stands on loopback, or asks for a secret that the operator has put into a file: then the API answers only who sends
it as a bearer token. The files of the page are no secret, and ask for it.

A browser also carries requests of any other page it has open. Against those:

- The name in `Host` must be one of ours, on every request: a foreign name that was made to point here is refused.
- What changes something must be JSON, must not come from another origin as far as the browser says, and must carry the
  token that only pages of this origin can read. Programs that are no browsers need no token.
- The page is served with a policy that runs no script but its own files, and is shown in no frame.
"""

import hmac
import re
from collections.abc import Iterable
from ipaddress import ip_address

from aether.server.entropy import new_id
from aether.server.http.messages import Headers, HttpError, Request
from aether.server.telemetry import Log

log = Log("aether.server")

TOKEN_HEADER = "x-aether-token"  # noqa: S105 - a name
_OWN_NAMES = ("localhost", "127.0.0.1", "[::1]")
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.%]+\]|[^:\[\]/@]+)(?::[0-9]{1,5})?")
# Served on all addresses of the machine, the page is asked for by any of them. A foreign name is none.
_EVERYWHERE = {"0.0.0.0", "::"}
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
    """`token` is what pages of this origin show with each change; it lasts as long as the process.

    `secret`, if there is one, is what everybody shows who asks the API.
    """

    def __init__(self, hosts: Iterable[str], *, read_only: bool, secret: str = "") -> None:
        self.token = new_id()
        self.read_only = read_only
        self._secret = secret.encode()
        self._refused = 0
        self._names = {name.lower() for name in (*_OWN_NAMES, *hosts)}
        self._is_everywhere = not self._names.isdisjoint(_EVERYWHERE)

    @property
    def has_secret(self) -> bool:
        return bool(self._secret)

    def check_name(self, request: Request) -> None:
        """Raises HttpError for a request that came by a name which is not ours."""
        if not self._is_ours(request.headers.get("host", "")):
            raise HttpError(403, "this name is not among those that the server has; see web.allowed_hosts")

    def is_known(self, request: Request) -> bool:
        """Whether it shows the secret, if there is one."""
        scheme, _, shown = request.headers.get("authorization", "").partition(" ")
        # In a time that does not tell how much of it was right.
        is_right = hmac.compare_digest(shown.strip().encode("utf-8", "replace"), self._secret)
        return not self._secret or (is_right and scheme.lower() == "bearer")

    def check_known(self, request: Request) -> None:
        """Raises HttpError for who does not show the secret."""
        if not self.is_known(request):
            # Told after twice as many each time, so that who guesses does not fill the log. A page asks once without.
            self._refused += "authorization" in request.headers
            if "authorization" in request.headers and self._refused.bit_count() == 1:
                log.warning("web_token_refused", times=self._refused)
            headers = (("www-authenticate", 'Bearer realm="aether"'),)
            raise HttpError(401, "this server asks for its token: Authorization: Bearer …", headers=headers)

    def check(self, request: Request, *, only_looks: bool = False, kind: str = "application/json") -> None:
        """Raises HttpError for what the API must not do.

        `only_looks`: it changes nothing, whatever its method. `kind` is what its body has to be: no form can send that.
        """
        if request.method in _READS:
            return
        if self.read_only and not only_looks:
            raise HttpError(403, "this page only looks: web.read_only is set")
        host = request.headers.get("host", "")
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != kind:
            raise HttpError(415, f"this is sent as {kind}")
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
        if match is None:
            return False
        name = match["name"].lower()
        return name in self._names or (self._is_everywhere and _is_address(name))


def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True

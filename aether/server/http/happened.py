"""What has happened over all runs since somebody looked last, a page at a time.

It asks the method that has no end, and takes what is there by now: each answer says where the next one goes on.
"""

from collections.abc import Mapping

from aether.server.http.local_call import LocalClient
from aether.server.http.messages import HttpError, Response, json_response, json_text
from aether.server.http.transcode import fill
from aether.wire.generated.aether.v1 import admin_pb2 as pb
from aether.wire.plain import plain

PAGE_EVENTS = 500
_NAMES = {"filter", "kinds", "after_position", "last"}
# A read of the log takes less; who waits longer asks again.
_WITHIN_S = 0.3


async def happened(client: LocalClient, query: Mapping[str, str]) -> Response:
    """`kinds` has commas between them. Raises HttpError."""
    unknown = query.keys() - _NAMES
    if unknown:
        raise HttpError(400, f"there is no parameter {min(unknown)[:100]!r}", code="INVALID_ARGUMENT")
    request = pb.FollowEventsRequest()
    fill(request, {name: value for name, value in query.items() if name != "kinds"}, "parameter")
    request.kinds.extend(filter(None, query.get("kinds", "").split(",")))
    raw = await client.listen(
        "/aether.v1.AdminService/FollowEvents", request.SerializeToString(), PAGE_EVENTS + 1, _WITHIN_S
    )
    told = [pb.LoggedEvent.FromString(each) for each in raw]
    following = told[-1].position if told else request.after_position
    events = ",".join(json_text(plain(event)) for event in told if event.kind)
    dropped = sum(event.dropped for event in told)
    return json_response(f'{{"events":[{events}],"dropped":{dropped},"next":{following}}}')

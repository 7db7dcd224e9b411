"""What comes in by the doors."""

from aether.server.traffic import UNKNOWN, Traffic

START = "/aether.v1.ClientService/StartWorkflow"


def test_calls_are_counted_by_method_and_code_and_timed_unless_they_wait():
    now = [10.0]
    traffic = Traffic(lambda: now[0])
    traffic.call_ended(START, 0, 9.5)
    traffic.call_ended(START, 0, None)
    traffic.call_ended(START, 5, 9.0)
    traffic.call_ended("", 12, None)
    traffic.call_ended("/grpc.health.v1.Health/Check", 77, None)
    assert dict(traffic.requests()) == {
        ("StartWorkflow", "OK"): 2,
        ("StartWorkflow", "NOT_FOUND"): 1,
        (UNKNOWN, "UNIMPLEMENTED"): 1,
        ("grpc.health.v1.Health/Check", UNKNOWN): 1,
    }
    ((names, durations),) = traffic.durations()
    assert (names, durations.count, durations.total) == (("StartWorkflow",), 2, 1_500_000)

"""The table of what records mean for the code."""

from aether.model import commands as c
from aether.model import events as e
from aether.sdk.meanings import MEANINGS


def test_every_fact_at_a_path_has_a_meaning_or_is_known_to_have_none():
    silent = {
        e.RunCreated, e.RunForked, e.RunStarted, e.RunCompleted, e.RunFailed, e.RunCancelled, e.CancelRequested,
        e.RunPaused, e.RunResumed,
        e.ActivityStarted, e.ActivityProgressed, e.ActivityRetried,
        e.SignalReceived, c.FailStep, c.CancelPending, c.CompleteRun, c.FailRun, c.CancelRun, c.BlockRun,
    }  # fmt: skip
    everything = set(e.Fact.__args__) | set(c.RunCommand.__args__)
    assert everything == silent | set(MEANINGS)


def test_the_names_that_records_tell_are_fields_of_theirs():
    for record, meaning in MEANINGS.items():
        fields = {field.name for field in record.__attrs_attrs__}
        assert "path" in fields
        assert not meaning.name or meaning.name in fields

"""What was set of a task queue comes back from the store, and other settings are somebody else's."""

from aether.core.effects import QueueSet
from aether.server.queue_settings import row_of, setting_of
from aether.store.interface import SettingRow


def test_what_was_set_comes_back():
    for setting in (QueueSet("q", True, "deploy", 0), QueueSet("a/b \N{SNOWMAN}", False, "", 7)):
        assert setting_of(row_of(setting)) == setting


def test_what_is_as_without_a_setting_is_not_kept():
    row = row_of(QueueSet("q", False, "", 0))
    assert row == SettingRow("queue/q", None)
    assert setting_of(row) is None


def test_settings_of_another_kind_are_passed_over():
    assert setting_of(SettingRow("other/q", b"1")) is None

"""What was set of a task queue, as a row of the store, and back."""

from typing import Final

from aether.core.effects import QueueSet
from aether.store.interface import SettingRow
from aether.wire.generated.aether.v1 import model_pb2 as pb

_PREFIX: Final = "queue/"


def row_of(setting: QueueSet) -> SettingRow:
    value = pb.QueueSetting(paused=setting.paused, reason=setting.reason, activity_limit=setting.activity_limit)
    return SettingRow(_PREFIX + setting.task_queue, value.SerializeToString() if setting.is_needed else None)


def setting_of(row: SettingRow) -> QueueSet | None:
    """None for a row of another kind. Raises DecodeError for what nobody has written."""
    if not row.name.startswith(_PREFIX) or row.value is None:
        return None
    value = pb.QueueSetting.FromString(row.value)
    return QueueSet(row.name.removeprefix(_PREFIX), value.paused, value.reason, value.activity_limit)

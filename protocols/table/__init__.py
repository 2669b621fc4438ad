"""Plain tables: departures and assignments as CSV or JSON, and one departure by hand."""

from protocols.common.imports import Translation, import_id, messages
from protocols.table.translate import HAND, Kind, by_hand, taken_back, translate
from protocols.table.values import LEAST_PERCENT
from protocols.table.wire import detect

__all__ = [
    "HAND",
    "LEAST_PERCENT",
    "Kind",
    "Translation",
    "by_hand",
    "detect",
    "import_id",
    "messages",
    "taken_back",
    "translate",
]

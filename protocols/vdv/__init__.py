"""VDV 452: schedules of the German-speaking countries, read into neutral blocks."""

from protocols.common.imports import Translation, import_id, messages
from protocols.vdv.translate import translate
from protocols.vdv.wire import detect

__all__ = ["Translation", "detect", "import_id", "messages", "translate"]

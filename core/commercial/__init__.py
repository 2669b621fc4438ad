"""What a session costs, for whom: priced records, kept apart from the physical transfer of energy."""

from core.commercial.allocation import Share, by_cost_centre
from core.commercial.pricing import price
from core.commercial.records import RecordsState, decide, fold, next_deadline

__all__ = ["RecordsState", "Share", "by_cost_centre", "decide", "fold", "next_deadline", "price"]

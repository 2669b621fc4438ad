"""The site controller as three pure functions: fold, decide, next_deadline."""

from core.site.decide import MOST, decide, next_deadline
from core.site.memo import Memo
from core.site.state import SiteState, fold

__all__ = ["MOST", "Memo", "SiteState", "decide", "fold", "next_deadline"]

"""The reference of reasons: every code that any surface may show, from the one list."""

from __future__ import annotations

from typing import get_args

from core.messages.reasons import REASONS, About
from gateway.docs.text import page as make_page
from gateway.docs.text import table


def page() -> str:
    """Every code with how much it matters, its sentence and its next step, by what it is about."""
    head = (
        "Every *not ok* carries one of these codes, its sentence and a next step: on pages, in `--json`, in incidents, readiness outcomes, "
        "quarantined items and command steps. `{name}` is a value with its unit; what stands in `[...]` falls away where its values are unknown. "
        "`high`, `medium` and `low` is how much an incident of that kind matters."
    )
    return make_page("Reasons", head, *(_about(about) for about in get_args(About)))


def _about(about: str) -> str:
    rows = [
        (f"`{code}`", r.severity, r.sentence, f"{r.next[:1].upper()}{r.next[1:]}")
        for code, r in sorted(REASONS.items())
        if r.about == about
    ]
    return f"## About a {about}\n\n{table(('code', 'matters', 'sentence', 'next'), rows)}" if rows else ""

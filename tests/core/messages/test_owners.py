"""Every fact that the core decides is made by exactly one concept's module."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import core
from core.messages import BODIES

ROOT = Path(next(iter(core.__path__)))
NAMES = {body.__name__: type for type, body in BODIES.items()}


def made_in(file: Path) -> Iterator[str]:
    """The message types whose bodies a file constructs."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in NAMES:
            yield NAMES[node.func.id]


def owners() -> dict[str, set[str]]:
    """Message type to the concepts of `core/` that construct it."""
    found: dict[str, set[str]] = defaultdict(set)
    for file in ROOT.rglob("*.py"):
        concept = file.relative_to(ROOT).parts[0].removesuffix(".py")
        if concept != "messages":
            for type in made_in(file):
                found[type].add(concept)
    return found


def test_a_fact_has_one_owner() -> None:
    assert {type: by for type, by in owners().items() if len(by) > 1} == {}


def test_a_fact_that_the_core_decides_is_made_nowhere_else() -> None:
    decided = owners().keys()
    for folder in ("gateway", "protocols", "pki"):
        for file in (ROOT.parent / folder).rglob("*.py"):
            assert decided.isdisjoint(made_in(file)), file


def test_what_a_session_appears_in_is_decided_by_six_concepts() -> None:
    decided = owners()
    assert {type: decided[type] for type in ("readiness.assessed", "incident.opened", "record.priced")} == {
        "readiness.assessed": {"readiness"},
        "incident.opened": {"incidents"},
        "record.priced": {"commercial"},
    }
    assert (decided["allocation.assigned"], decided["envelope.computed"]) == ({"allocation"}, {"envelopes"})
    assert decided["command.wished"] == {"dispatch"}

"""House rules that no tool keeps: every exception from lint and types has its reason."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = ("benchmarks", "core", "gateway", "pki", "protocols", "simulators", "tests")
EXCEPTION = re.compile(r"#\s*(noqa|type:\s*ignore)(?!.*because)")


def test_every_exception_from_lint_and_types_says_because() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{number}"
        for name in CODE
        for file in (ROOT / name).rglob("*.py")
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
        if EXCEPTION.search(line)
    ]
    assert found == [], "say why, or take the exception away (tests are not type-checked)"

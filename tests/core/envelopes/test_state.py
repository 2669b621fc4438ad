"""States are plain, small and never change under their users."""

from __future__ import annotations

from dataclasses import is_dataclass
from types import ModuleType

import pytest

from core import energy_system, envelopes, profiles, sources


@pytest.mark.parametrize("module", [energy_system, envelopes, profiles, sources])
def test_every_state_is_frozen_and_has_no_room_for_more(module: ModuleType) -> None:
    states = [c for c in vars(module).values() if isinstance(c, type) and is_dataclass(c)]
    assert states
    for state in states:
        assert state.__dataclass_params__.frozen  # type: ignore[attr-defined]  # because: dataclasses keep it there
        assert "__dict__" not in dir(state)

"""The reference says what the code says: generated, current, and without a field that lacks words."""

from __future__ import annotations

from core.messages.site import SiteConfig
from gateway.docs.__main__ import stale
from gateway.docs.settings import page, sections
from gateway.settings.models import HubSettings
from gateway.settings.words import WORDS, meaning


def test_the_generated_reference_is_current() -> None:
    assert stale() == [], "run `python -m gateway.docs`"


def test_bounds_of_settings_are_written_whole() -> None:
    assert "1048576" in page()
    assert "e+0" not in page()


def test_every_setting_has_a_meaning() -> None:
    without = [
        f"{name}.{key}"
        for name, model in sections("", HubSettings)
        for key, field in model.model_fields.items()
        if not (field.description or meaning(model, key))
    ]
    assert without == []


def test_no_meaning_is_left_of_a_field_that_is_gone() -> None:
    known = {f"{model.__name__}.{key}" for _, model in sections("", SiteConfig) for key in model.model_fields}
    assert set(WORDS) - known == set()

"""The hub's settings: one TOML file, checked as a whole, secrets only by reference."""

from gateway.settings.errors import Problem, SettingsError
from gateway.settings.load import load
from gateway.settings.models import HttpListener, HubSettings, SiteSettings, StationSettings, TlsContext, User

__all__ = [
    "HttpListener",
    "HubSettings",
    "Problem",
    "SettingsError",
    "SiteSettings",
    "StationSettings",
    "TlsContext",
    "User",
    "load",
]

"""The databases for every test that asks for rows."""

from tests.gateway.databases import postgres, url

__all__ = ["postgres", "url"]

"""Operator pages: server-rendered, whole without JavaScript, kept moving by a stream; they read read models only."""

from gateway.pages.mount import mount

__all__ = ["mount"]

"""The night as one picture: a pure function from plain data to SVG; equal data give equal bytes."""

from gateway.pages.picture.night import key_lines, night_file, night_svg
from gateway.pages.picture.stack import crowded

__all__ = ["crowded", "key_lines", "night_file", "night_svg"]

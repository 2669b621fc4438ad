"""Read models: rows in SQL that follow from the journal, and can be dropped and made again from it."""

from gateway.readmodels.models import ReadModels

__all__ = ["ReadModels"]

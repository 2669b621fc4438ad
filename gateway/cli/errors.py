"""How a verb ends when it cannot do what was asked: what, where, what to do next, and an exit code."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.next_step import parted

DONE, NO, USAGE, UNREACHABLE = 0, 1, 2, 3
"""Exit codes: done; the answer is no; wrong usage or configuration; a peer or file could not be reached."""


class CliError(Exception):
    """Ends the verb with one line on stderr; a next step that stands in `what` wins over the general one."""

    def __init__(self, what: str, where: str, next: str, code: int = USAGE) -> None:
        self.what, self.next = parted(what, next)
        self.where, self.code = where, code
        super().__init__(self.what)

    def __str__(self) -> str:
        place = f" ({self.where})" if self.where else ""
        return f"busbar: {self.what}{place}; next: {self.next}"


class Many(CliError):
    """Several at once, one line each; `problems` have `where`, `what` and `next`. `outcome` is what follows from all."""

    def __init__(self, problems: Sequence[dict[str, str]], code: int = USAGE, outcome: str = "") -> None:
        super().__init__(f"{len(problems)} problem(s)", "", "correct them", code)
        self.problems, self.outcome = problems, outcome

    def __str__(self) -> str:
        lines = [f"busbar: {p['where']}: {p['what']}; next: {p['next']}" for p in self.problems]
        return "\n".join((*lines, f"busbar: {self.outcome}") if self.outcome else lines)


def plain(error: Exception) -> str:
    """What an error says, without the system's number."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error)

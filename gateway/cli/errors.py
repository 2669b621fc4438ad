"""How a verb ends when it cannot do what was asked: what, where, what to do next, and an exit code."""

from __future__ import annotations

DONE, NO, USAGE, UNREACHABLE = 0, 1, 2, 3
"""Exit codes: done; the answer is no; wrong usage or configuration; a peer or file could not be reached."""


class CliError(Exception):
    """Ends the verb with one line on stderr."""

    def __init__(self, what: str, where: str, next: str, code: int = USAGE) -> None:
        self.what, self.where, self.next, self.code = what, where, next, code
        super().__init__(what)

    def __str__(self) -> str:
        place = f" ({self.where})" if self.where else ""
        return f"busbar: {self.what}{place}; next: {self.next}"


class Many(CliError):
    """Several at once, one line each; `problems` have `where`, `what` and `next`."""

    def __init__(self, problems: list[dict[str, str]], code: int = USAGE) -> None:
        super().__init__(f"{len(problems)} problem(s)", "", "correct them", code)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(f"busbar: {p['where']}: {p['what']}; next: {p['next']}" for p in self.problems)

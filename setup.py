"""What `pyproject.toml` cannot say: the demo's scenario goes into the package when it is built, and stands in git once."""

from __future__ import annotations

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SCENARIO = Path("examples/bus-142")
PACKAGED = Path("simulators/scenarios/bus-142")


class WithScenario(build_py):
    """Copies the scenario beside the modules; an editable install finds it in the checkout."""

    def run(self) -> None:
        """Build the modules, then the scenario."""
        super().run()
        if not self.editable_mode:
            for source, built in self._scenario().items():
                self.mkpath(str(Path(built).parent))
                self.copy_file(source, built)

    def get_source_files(self) -> list[str]:
        """Also the scenario, so that a source distribution holds it."""
        return [*super().get_source_files(), *self._scenario()]

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Also the scenario, so that an installation knows it as its own."""
        return [*super().get_outputs(include_bytecode), *self._scenario().values()]

    def _scenario(self) -> dict[str, str]:
        files = sorted(SCENARIO.glob("*.toml"))
        return {str(file): str(Path(self.build_lib) / PACKAGED / file.name) for file in files}


setup(cmdclass={"build_py": WithScenario})

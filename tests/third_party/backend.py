"""A build backend of thirty lines (PEP 517), so that this fixture installs without any download."""

import zipfile
from pathlib import Path

NAME, VERSION = "acme_meterpush", "1.0"
META = f"{NAME}-{VERSION}.dist-info"


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """The package and its entry point as a wheel."""
    name = f"{NAME}-{VERSION}-py3-none-any.whl"
    files = {f"{NAME}/{f.name}": f.read_text() for f in sorted(Path(NAME).glob("*.py"))}
    files[f"{META}/METADATA"] = f"Metadata-Version: 2.1\nName: acme-meterpush\nVersion: {VERSION}\n"
    files[f"{META}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: backend\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{META}/entry_points.txt"] = f"[busbar.adapters]\nmeterpush = {NAME}.adapter:MeterPush\n"
    files[f"{META}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{META}/RECORD"])
    with zipfile.ZipFile(Path(wheel_directory) / name, "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return name


def build_sdist(sdist_directory, config_settings=None):
    """Not needed here."""
    raise NotImplementedError

"""Provenance of a measurement: date, machine, versions and parameters."""

import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from jamlab.media.opus import library_version

_PACKAGES = ("jamlab", "aiortc", "aioice", "av", "opuslib-next", "numpy", "scipy", "pandas")


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages a figure depends on."""
    found = {"python": platform.python_version(), "libopus": library_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def machine() -> dict[str, Any]:
    """Return the machine's system and processor, without its name or addresses."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "implementation": sys.implementation.name,
    }


def provenance(parameters: dict[str, Any], **observations: Any) -> dict[str, Any]:
    """Return the provenance of a run that ends now."""
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "parameters": parameters,
        "versions": versions(),
        **observations,
    }

"""What the tests of the image, the manifests and the units share."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def tool() -> Callable[[str], str]:
    """Return the finder of a tool of ``make artefacts``; without that command, its tests are left out."""

    def find(name: str) -> str:
        folder = os.environ.get("ARTEFACT_TOOLS")
        found = shutil.which(name, path=folder or str(ROOT / ".artefacts/bin"))
        if found is None and folder is None:
            pytest.skip(f"{name} is not here: make artefacts brings it")
        assert found, name
        return found

    return find

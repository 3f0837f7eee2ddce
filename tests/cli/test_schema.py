"""``switchboard schema``: the document that editors read, and the version that ``--version`` prints."""

import json
from importlib.metadata import PackageNotFoundError

import pytest

from worker import build


def test_the_schema_is_json_with_and_without_the_option(cli):
    """It knows the tables of the configuration."""
    found = cli.json("schema")

    assert {"receiver", "calls", "destinations", "routes", "console", "delacon", "alerts"} <= set(found["properties"])
    assert found == json.loads(cli.run("schema").stdout)


def test_code_that_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch):
    """As in a folder that was only copied."""

    def fail(_name: str) -> str:
        raise PackageNotFoundError

    assert build.code_version().count(".") == 2
    monkeypatch.setattr(build, "version", fail)
    assert "unknown" == build.code_version()

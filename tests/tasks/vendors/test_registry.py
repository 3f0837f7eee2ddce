"""The registry: one line a vendor, checked by the type checker and taken up by the contract tests."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.destination import VendorSpec
from tasks.vendors.registry import VENDORS

ROOT = Path(__file__).parents[3]
CONTRACT = "tests/tasks/vendors/test_destination_contract.py"


def run(*arguments):
    """Run a module of this Python in the project's folder and return its output."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_every_vendor_goes_by_its_own_name():
    """The name of the spec is the registry key, and so the queue and the word of the configuration."""
    assert list(VENDORS) == [vendor.spec.name for vendor in VENDORS.values()]
    assert all(isinstance(vendor.spec, VendorSpec) for vendor in VENDORS.values())


def test_a_fourth_vendor_is_taken_up_by_the_contract_tests_unedited():
    """A line in the registry and a file of samples are all that a new vendor needs to be held to the contract."""
    status, output = run("pytest", CONTRACT, "-v", "-p", "tests.tasks.vendors.made_up_vendor", "-p", "no:cacheprovider")
    passed = re.findall(r"::(\w+)\[(?:[^\]]*-)?(acme|captorra)(?:-[^\]]*)?\] PASSED", output)

    assert 0 == status, output[-3000:]
    assert {test for test, name in passed if name == "captorra"} == {test for test, name in passed if name == "acme"}
    assert len(passed) > 2 * 20


@pytest.mark.parametrize("name", VENDORS)
def test_a_vendor_is_everywhere_that_contributing_names(name):
    """Each file of the list that is named for a vendor is there, and each other file of it names the vendor."""
    listed = (ROOT / "docs/contributing.md").read_text().partition("### A vendor")[2].partition("### ")[0]
    paths = [word for word in re.findall(r"`([^`]+)`", listed) if re.fullmatch(r"[\w./-]+\.(py|md|toml|json)", word)]
    own = [ROOT / path.replace("acme", name) for path in paths if "acme" in path]
    shared = [path for path in paths if "acme" not in path]

    assert len(own) > 5
    assert len(shared) > 10
    assert [] == [str(path) for path in own if not (path.is_file() or path.with_suffix("").is_dir())]
    assert [] == [path for path in shared if name not in (ROOT / path).read_text().casefold()]


def test_a_class_without_a_verdict_fails_the_type_check_at_the_registry(tmp_path):
    """The registry's tuple is typed, so a vendor that cannot judge is found before anything runs."""
    source = (ROOT / "tests/tasks/vendors/made_up_vendor.py").read_text(encoding="utf-8")
    unable = source.replace("def judge(", "def judge_not(").replace("self.judge,", "self.judge_not,")
    checked = tmp_path / "unable.py"
    checked.write_text(unable, encoding="utf-8")
    status, output = run("mypy", "--cache-dir", str(tmp_path / "cache"), str(checked))

    assert 1 == status, output
    assert "Acme" in output
    assert "judge" in output

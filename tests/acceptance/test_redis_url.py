"""A faulty ``REDIS_URL`` ends every process with status 2, before it listens or consumes."""

import subprocess
import sys

import pytest

from tests.acceptance.stack import ROOT

CELERY = ("celery", "-A", "worker")
WITHIN_S = 30


@pytest.mark.parametrize("option", ["/1?db=4", "?health_check_interval=1", "?ssl_ca_certs=/secretword"])
@pytest.mark.parametrize(
    "module",
    [("receiver",), (*CELERY, "worker"), (*CELERY, "flower"), ("deploy.cli", "check"), ("deploy.cli", "calls", "list")],
    ids=lambda module: module[-1],
)
def test_a_faulty_address_is_status_2(make_stack, module: tuple[str, ...], option: str):
    """One sentence says why, and nothing that may be secret is shown."""
    stack = make_stack()
    stack.environ["REDIS_URL"] = f"redis://:secretword@127.0.0.1:1{option}"
    stack.environ["FLOWER_BASIC_AUTH"] = "somebody:a-password-of-20"
    done = subprocess.run(
        [sys.executable, "-m", *module], cwd=ROOT, env=stack.environ, capture_output=True, text=True, timeout=WITHIN_S,
        check=False,
    )  # fmt: skip

    assert 2 == done.returncode, done.stderr
    assert "environment: REDIS_URL has" in done.stderr or "environment: REDIS_URL names two databases" in done.stderr
    assert "secretword" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr

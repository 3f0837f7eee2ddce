"""What runs for long does not carry what nobody in it uses."""

import json
import subprocess
import sys

import pytest

MODULES = """
import json, sys
import {module}
print(json.dumps(sorted({{"rich", "opentelemetry"}} & sys.modules.keys())))
"""


@pytest.mark.parametrize("module", ["worker.celery", "receiver.__main__"])
def test_a_process_imports_neither_rich_nor_opentelemetry(module: str):
    """Both are installed here, and structlog and redis would import them."""
    found = subprocess.run(
        [sys.executable, "-c", MODULES.format(module=module)], capture_output=True, text=True, check=True, timeout=60
    )

    assert [] == json.loads(found.stdout.splitlines()[-1])


def test_whoever_wants_them_gets_them():
    """The command line draws its tables with rich, and traces need OpenTelemetry's SDK."""
    code = "import worker.imports, rich.table, opentelemetry.sdk.trace, structlog, redis; structlog.dev.rich_traceback"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

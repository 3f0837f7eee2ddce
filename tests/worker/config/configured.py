"""A whole configuration as text, and loading of changed copies of it."""

from pathlib import Path

from schemas.captorra import SPEC as CAPTORRA
from schemas.comunik8 import SPEC as COMUNIK8
from schemas.kapture.customer import SPEC as KAPTURE
from worker.config.settings import Settings, load_settings
from worker.errors import SettingsError

SPECS = (CAPTORRA, COMUNIK8, KAPTURE)
ENVIRON = {
    "DELACON_TOKEN": "delacon-token-0123456789",
    "COMUNIK8_KEY": "comunik8-key-0123456789",
    "KAPTURE_KEY": "kapture-key-0123456789",
    "CALLCAP_KEY": "callcap-key-0123456789",
}

CONTRACT = """\
[receiver]
tokens = ["${DELACON_TOKEN}"]
ops_tokens = []
allow_networks = []
trusted_proxies = 0
max_body = 65536

[calls]
end_wait = "4h"
start_wait = "2m"
retention = "30d"
dead_retention = "90d"
remember = "400d"
default_region = "AU"

[destinations.smith-law]
vendor = "captorra"
url = "https://captrack01.captorra.com/api/captorracalltracking/create"
captorra_id = "111111"
timezone = "America/New_York"

[destinations.dialler]
vendor = "comunik8"
url = "https://dialler.example.com"
api_key = "${COMUNIK8_KEY}"
type = "motor-trade"
cancel_when_answered = "24h"
email = "{caller_digits}@calls.example.com"

[destinations.crm]
vendor = "kapture"
url = "https://acme.kapturecrm.com"
auth_key = "${KAPTURE_KEY}"
email = "{caller_digits}@calls.example.com"

[[routes]]
to = ["smith-law", "crm"]

[[routes]]
to = ["dialler"]
results = ["unanswered", "busy"]

[dead_letters]
publish = true

[callcap]
url = "https://api.callcap.com/v3"
api_key = "${CALLCAP_KEY}"
"""
"""The file of contract section 4 without its comments."""


def load(folder: Path, text: str = CONTRACT, environ: dict[str, str] | None = None) -> Settings:
    """Write ``text`` to a file and load it."""
    file = folder / "switchboard.toml"
    file.write_text(text, encoding="utf-8")
    return load_settings(file, ENVIRON if environ is None else environ, specs=SPECS)


def faults_of(folder: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    """Load a faulty ``text``; return its faults without the folder."""
    try:
        load(folder, text, environ)
    except SettingsError as error:
        return [fault.removeprefix(f"{folder}/switchboard.toml") for fault in error.faults]
    return []

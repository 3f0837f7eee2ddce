"""``switchboard check``."""

import pytest

from schemas.zones import zones
from tests.cli.conftest import CONFIG

NO_REPLICAS = "REDIS_MIN_REPLICAS must be a number of replicas between 0 and 9"


def test_a_good_configuration_is_ok(cli):
    """Status 0, also while no Redis answers at its address."""
    checked = cli.json("check", REDIS_URL="redis://127.0.0.1:1")

    assert {"ok": True, "faults": [], "warnings": [], "time_zones": zones().shape()} == checked
    assert "ok" in cli.run("check").stdout


def test_the_version_of_the_time_zones_is_named(cli):
    """In words and in the JSON value: the one in use, and both where they differ."""
    named = cli.json("check")["time_zones"]

    assert named["version"] in {named["system"], named["package"]}
    assert f"time zones: {zones().words()}\n" in cli.run("check").stdout
    assert {named["system"] or named["package"], named["package"]} <= {
        *zones().words().replace(";", " ").replace(")", " ").split()
    }


def test_every_fault_is_told_at_once(cli):
    """Status 2; the faults are on standard error, and in the JSON value."""
    cli.configure(CONFIG.replace('type = "motor-trade"\n', "").replace('captorra_id = "111111"\n', ""))
    result = cli.run("check", "--json", status=2)

    assert 2 == len(result.stderr.splitlines())
    shown = cli.json("check", status=2)
    assert (False, 2) == (shown["ok"], len(shown["faults"]))


def test_a_faulty_address_of_redis_is_told_with_the_faults_of_the_file(cli):
    """Status 2, and nothing of the address that may be secret."""
    cli.configure(CONFIG + "nonsense = 1\n")
    shown = cli.json("check", status=2, REDIS_URL="redis://:secretword@h/1?db=4")

    assert 2 == len(shown["faults"])
    assert "two databases" in str(shown["faults"])
    assert "secretword" not in str(shown)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"REDIS_URL": ""}, "REDIS_URL is required"),
        ({"REDIS_URL": "  "}, "REDIS_URL is required"),
        *(({"REDIS_MIN_REPLICAS": value}, NO_REPLICAS) for value in ("-1", "1.5", "10", "one", "٣")),
    ],
)
@pytest.mark.parametrize("role", [(), ("--for", "receiver"), ("--for", "worker")], ids=["all", "receiver", "worker"])
def test_what_would_end_a_process_at_its_start_is_a_fault(cli, given, fault, role):
    """Status 2 (contract, section 3): a platform must not go on to a version that cannot start."""
    shown = cli.json("check", *role, status=2, **given)

    assert {"ok": False, "faults": [f"environment: {fault}"], "warnings": []} == shown


def test_an_address_of_redis_that_nobody_set_is_a_fault(cli, monkeypatch):
    """As an empty one is."""
    monkeypatch.delenv("REDIS_URL", raising=False)
    del cli.environ["REDIS_URL"]

    assert "environment: REDIS_URL is required" in cli.run("check", status=2).stderr


def test_a_missing_file_is_a_fault(cli):
    """Status 2, with the name of the file."""
    result = cli.run("check", status=2, SWITCHBOARD_CONFIG="/nowhere/switchboard.toml")

    assert "/nowhere/switchboard.toml" in result.stderr


def test_a_dialler_that_is_sent_answered_calls_is_a_warning(cli):
    """Status 0 (contract, section 4); cancel_when_answered keeps them out, and so is no reason to warn."""
    routes = CONFIG.replace('results = ["unanswered", "busy"]\n', "")
    cli.configure(routes.replace('cancel_when_answered = "24h"\n', ""))

    [warning] = cli.json("check")["warnings"]
    assert "dialler" in warning
    assert "warning: " in cli.run("check").stderr
    cli.configure(routes)
    assert [] == cli.json("check")["warnings"]


@pytest.mark.parametrize(("scope", "warned"), [("route", 1), ("destination", 1), ("service", 0)])
def test_a_route_that_lets_one_firm_withdraw_the_leads_of_another_is_a_warning(cli, scope, warned):
    """Where other routes part the services; not where the same service is asked for."""
    parted = CONFIG.replace('results = ["answered"]', 'service_ids = ["1"]')
    cli.configure(parted.replace("cancel_when_answered", f'cancel_scope = "{scope}"\ncancel_when_answered'))

    assert warned == len(cli.json("check")["warnings"])


@pytest.mark.parametrize(
    ("role", "needed"),
    [("receiver", {"DELACON"}), ("worker", {"CRM_KEY"}), (None, {"CRM_KEY", "DELACON"})],
)
@pytest.mark.parametrize("given", [{"DELACON"}, {"CRM_KEY"}, set(), {"DELACON", "CRM_KEY"}])
def test_a_role_needs_its_own_secrets_alone(cli, role, needed, given):
    """The receiver needs no vendor's key, a worker no token of Delacon's; without a role all are needed."""
    written = CONFIG.replace("a-token-for-tests-only", "${DELACON}").replace("a-kapture-key", "${CRM_KEY}")
    cli.configure(written)
    environ = dict.fromkeys(given, "a-secret-of-our-own")
    lacking = needed - given

    result = cli.run("check", *(["--for", role] if role else []), status=2 if lacking else 0, **environ)

    assert lacking == {name for name in ("DELACON", "CRM_KEY") if f"variable {name} is not set" in result.stderr}


def test_a_variable_of_a_table_that_every_process_reads_is_needed_by_each(cli):
    """A route is read by receiver and worker alike."""
    cli.configure(CONFIG.replace('results = ["unanswered", "busy"]', 'service_ids = ["${SERVICE}"]'))

    for role in ("receiver", "worker"):
        assert "variable SERVICE is not set" in cli.run("check", "--for", role, status=2).stderr

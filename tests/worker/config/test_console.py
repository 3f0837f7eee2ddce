"""``[console]``: who may look and act, with every broken rule told at its place."""

import pytest

from tests.worker.config.configured import CONTRACT, faults_of, load

HASH = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g"
USERS = f"""
[console]
audit_retention = "30d"

[console.users.ann]
password = "{HASH}"
role = "operator"

[console.users.bob]
password = "{HASH}"
destinations = ["crm"]
"""


def test_users_are_read_with_their_roles(tmp_path):
    """A viewer unless it is said otherwise; a user without destinations sees all."""
    console = load(tmp_path, CONTRACT + USERS).console
    ann, bob = console.users["ann"], console.users["bob"]

    assert ("operator", "viewer") == (ann.role, bob.role)
    assert (True, True) == (ann.sees("crm"), ann.sees("dialler"))
    assert (True, False) == (bob.sees("crm"), bob.sees("dialler"))
    assert 30 * 86_400 == console.audit_retention_s
    assert HASH not in repr(ann)


def test_without_the_table_there_are_no_users(tmp_path):
    """The console then serves loopback alone; the audit is kept for 400 days."""
    console = load(tmp_path).console

    assert {} == console.users
    assert (None, ()) == (console.trusted_header, console.proxy_networks)
    assert 400 * 86_400 == console.audit_retention_s


@pytest.mark.parametrize(
    "change",
    [("operator", "viewer"), ("$argon2id$v=19", "$argon2id$v=20"), ('role = "operator"', 'destinations = ["crm"]')],
)
def test_a_changed_user_has_another_fingerprint(tmp_path, change):
    """So a session of before ends."""
    before = load(tmp_path, CONTRACT + USERS).console.users["ann"].fingerprint
    after = load(tmp_path, CONTRACT + USERS.replace(*change)).console.users["ann"].fingerprint

    assert before != after
    assert before == load(tmp_path, CONTRACT + USERS).console.users["ann"].fingerprint


def test_a_proxy_may_name_the_user(tmp_path):
    """Then nobody needs a password."""
    text = '[console]\ntrusted_header = "X-Forwarded-User"\nproxy_networks = ["10.0.0.0/8"]\n[console.users.ann]\n'
    console = load(tmp_path, f"{CONTRACT}\n{text}").console

    assert "X-Forwarded-User" == console.trusted_header
    assert "" == console.users["ann"].password


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[console.users.ann]", "console.users.ann.password: is required"),
        ('[console.users.ann]\npassword = "plain"', "console.users.ann.password: must be an argon2id hash"),
        ('[console.users.ann]\nrole = "boss"', "console.users.ann.role: must be"),
        ('[console.users.ann]\ndestinations = ["nowhere"]', "destinations[0]: there is no destination 'nowhere'"),
        (f'[console.users."ann smith"]\npassword = "{HASH}"', "the name must be 1 to 100"),
        ('[console]\nusers = ["ann"]', "console.users: must be tables such as [console.users.ann]"),
        ('[console]\ntrusted_header = "X User"', "trusted_header: must be the name of a header"),
        ('[console]\ntrusted_header = "X-User"', "proxy_networks: is required with trusted_header"),
        (
            '[console]\ntrusted_header = "X-User"\nproxy_networks = ["10.0.0.0/8"]',
            "trusted_header: needs users",
        ),
        ('[console]\naudit_retention = "off"', "console.audit_retention: "),
        ("[console]\nusres = 1", "console.usres: "),
    ],
)
def test_a_broken_rule_is_told_at_its_place(tmp_path, text, fault):
    """Status 2 before the console listens."""
    assert [fault] == [fault for told in faults_of(tmp_path, f"{CONTRACT}\n{text}\n") if fault in told]

"""``[[alerts]]``: what is read, and what is refused with its place."""

import pytest

from tests.worker.config.configured import CONTRACT, ENVIRON, faults_of, load

ALERT = """
[[alerts]]
when = ["dead_letter", "silence"]
to = ["https://hooks.example.com/in?key=${ALERT_KEY}", "json://example.org/x"]
secret = "${ALERT_SECRET}"
"""
GIVEN = {**ENVIRON, "ALERT_KEY": "key-that-is-secret", "ALERT_SECRET": "whsec_c2VjcmV0"}


def test_an_alert_is_read_with_its_defaults(tmp_path):
    """It must hold for five minutes, at any hour, of all destinations; its addresses and its secret are never shown."""
    settings = load(tmp_path, CONTRACT + ALERT, GIVEN)
    [rule] = settings.alerts

    assert ("dead_letter", "silence") == rule.when
    assert (300, None, ()) == (rule.for_s, rule.hours, rule.destinations)
    assert [True, False] == [target.is_web for target in rule.to]
    assert ["https://hooks.example.com", "json:"] == [target.shown.split(" ")[0] for target in rule.to]
    assert "secret" not in repr(settings)
    assert {"whsec_c2VjcmV0", rule.to[0].address} <= settings.secrets


def test_a_rule_that_is_changed_is_another_alert(tmp_path):
    """Causes, and rules that differ in anything, have names of their own; the same rule has the same one."""
    texts = [ALERT, ALERT, ALERT + 'for = "1h"\n', ALERT + 'destinations = ["crm"]\n']
    ids = [load(tmp_path, CONTRACT + text, GIVEN).alerts[0].id_of("silence") for text in texts]

    assert ids[0] == ids[1]
    assert 3 == len(set(ids))


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({'"silence"': '"silent"'}, "alerts[0].when[1]: must be one of"),
        ({"https://hooks": "http://hooks"}, "alerts[0].to[0]: must be https"),
        ({"https://hooks": "https://ann:secret@hooks"}, "alerts[0].to[0]: must name a host"),
        (
            {"https://hooks.example.com/in?key=${ALERT_KEY}": "nobody@example.com"},
            "alerts[0].to[0]: must be an address",
        ),
        ({"secret =": 'hours = "08:00-18:00"\nsecret ='}, "alerts[0].hours: needs a timezone"),
        ({"secret =": 'hours = "8 to 18"\nsecret ='}, "alerts[0].hours: must be hours such as"),
        ({"secret =": 'destinations = ["nowhere"]\nsecret ='}, "alerts[0].destinations[0]: there is no destination"),
        ({"secret =": "for = 5\nsecret ="}, "alerts[0].for: must be a text"),
        ({"secret =": 'fro = "5m"\nsecret ='}, "alerts[0].fro: unknown key; did you mean 'for'?"),
        ({"to = ": "too = "}, "alerts[0].to: is required"),
    ],
)
def test_a_faulty_alert_is_told_with_its_place(tmp_path, change: dict[str, str], place: str):
    """All faults at once; none of them shows an address."""
    text = ALERT
    for old, new in change.items():
        text = text.replace(old, new)
    faults = faults_of(tmp_path, CONTRACT + text, GIVEN)

    assert any(place in fault for fault in faults), faults
    assert not any("key-that-is-secret" in fault for fault in faults)


def test_two_equal_alerts_are_refused(tmp_path):
    """One of them would never be told."""
    [fault] = faults_of(tmp_path, CONTRACT + ALERT + ALERT, GIVEN)

    assert "alerts[1].when" in fault

"""Settings under mutation: whatever the file holds, it loads or its faults are told."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.worker.config.configured import CONTRACT, ENVIRON, load
from worker.errors import SettingsError

LINES = CONTRACT.splitlines()
VALUES = st.sampled_from(
    [
        "1",
        "-1",
        "1.5",
        "nan",
        "true",
        '""',
        '"x"',
        '"${DELACON_TOKEN}"',
        '["${DELACON_TOKEN}"]',
        '"${MISSING}"',
        '"${"',
        "[]",
        "[[]]",
        '["x", 1, {}]',
        "[{}]",
        "{}",
        '{ a = "x", b = { c = [1] } }',
        "2026-11-21",
        "2026-11-21T10:00:00Z",
        "10:00:00",
        '"\\u0000"',
        '"""a\nb"""',
    ]
)
MUTATIONS = st.lists(
    st.tuples(st.sampled_from(["drop", "value", "key", "swap"]), st.integers(0, len(LINES) - 1), VALUES),
    min_size=1,
    max_size=4,
)


def mutate(mutations: list[tuple[str, int, str]]) -> str:
    """Change some lines of the contract's file."""
    lines = LINES[:]
    for kind, index, value in mutations:
        name, equals, old = lines[index].partition("=")
        match kind:
            case "drop":
                lines[index] = ""
            case "value" if equals:
                lines[index] = f"{name}= {value}"
            case "key" if equals:
                lines[index] = f"{name.strip()}x ={old}"
            case _:
                lines[index], lines[-1 - index] = lines[-1 - index], lines[index]
    return "\n".join(lines)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(MUTATIONS)
def test_a_mutated_file_loads_or_tells_its_faults(tmp_path, mutations):
    """No other error leaves the settings, every fault names the file, and none shows a secret."""
    told = None
    try:
        load(tmp_path, mutate(mutations))
    except SettingsError as error:
        told = error.faults

    assert told is None or told
    assert not [fault for fault in told or [] if not fault.startswith(f"{tmp_path}/switchboard.toml")]
    assert not [secret for secret in ENVIRON.values() if secret in str(told)]

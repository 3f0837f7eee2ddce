"""Reading of a TOML file with variables."""

import pytest

from worker.config.toml import read_toml
from worker.errors import SettingsError

ENVIRON = {"A": "one", "B_2": "two", "EMPTY": "", "NESTED": "${A} $${A}"}


def read(tmp_path, text: str | bytes):
    """Write and read a file."""
    file = tmp_path / "x.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_toml(file, ENVIRON)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${A}", "one"),
        ("${A}-${B_2}", "one-two"),
        ("x${EMPTY}y", "xy"),
        ("$${A}", "${A}"),
        ("$${", "${"),
        ("$$${A}", "$${A}"),
        ("${NESTED}", "${A} $${A}"),
        ("$A and $ and {A} and $$", "$A and $ and {A} and $$"),
    ],
)
def test_variables_are_put_in_once(tmp_path, text, value):
    """``${NAME}`` is replaced, ``$${`` is literal, and what a variable holds is not looked at again."""
    document, faults = read(tmp_path, f"a = '{text}'")
    faults.raise_if_any()

    assert document == {"a": value}


def test_variables_stand_in_texts_at_any_depth_and_nowhere_else(tmp_path):
    """Lists and tables are searched; keys, numbers and comments are not."""
    document, faults = read(tmp_path, "'${A}' = 1 # ${NO}\nlist = ['${A}', ['${A}']]\n[[t]]\nx = {y = '${A}'}")
    faults.raise_if_any()

    assert document == {"${A}": 1, "list": ["one", ["one"]], "t": [{"x": {"y": "one"}}]}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("${NO}", "the environment variable NO is not set"),
        ("${A", "'${' must begin a variable such as ${NAME}; write '$${' for a literal '${'"),
        ("${}", "'${' must begin a variable such as ${NAME}; write '$${' for a literal '${'"),
        ("${a b}", "'${' must begin a variable such as ${NAME}; write '$${' for a literal '${'"),
    ],
)
def test_a_variable_that_cannot_be_put_in_is_a_fault(tmp_path, text, fault):
    """A missing or unreadable variable is told with its place."""
    _, faults = read(tmp_path, f"[t]\na = ['{text}']")

    with pytest.raises(SettingsError) as caught:
        faults.raise_if_any()
    assert caught.value.faults == [f"{tmp_path}/x.toml:2: t.a[0]: {fault}"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a = 1\nb == 2", ":2:4: Invalid value"),
        ("a = 1\na = 2\n", ":2:6: Cannot overwrite a value"),
        ("a = [1", ": Unclosed array at the end of the file"),
        (b"a = 1\n\nb = '\xff'", ":3: is not UTF-8 text"),
    ],
)
def test_what_is_no_toml_is_told_with_line_and_column(tmp_path, text, fault):
    """A syntax error has its place in front, as editors want it."""
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text)

    assert caught.value.faults == [f"{tmp_path}/x.toml{fault}"]


def test_a_folder_is_no_file(tmp_path):
    """What cannot be read is told in the system's words."""
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        read_toml(tmp_path, {})


def test_line_ends_of_windows_count_as_lines(tmp_path):
    """A file with CRLF gives the same lines."""
    _, faults = read(tmp_path, "a = 1\r\n[t]\r\nx = '${NO}'\r\n")

    with pytest.raises(SettingsError, match=r"x\.toml:3: t\.x: "):
        faults.raise_if_any()

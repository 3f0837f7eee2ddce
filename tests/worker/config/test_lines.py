"""Lines of a TOML document."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.config.faults import lines_of

DOCUMENT = '''\
# [not.a.table]
title = "a # not a comment"  # nor = this
[receiver]
tokens = [
  "one", # ] a bracket
  "[two]",
]
text = """
key = "inside"
[inside]
"""
literal = \'\'\'
[also.inside]\'\'\'
[ "quoted name" . 'x.y' ]
a.b."c d" = 1
inline = { x = 1, y = ["}"] }
[[routes]]
to = ["a"]
[[routes]]
to = ["b"]
[routes.extra]
deep = 1
[[routes.items]]
n = 1
[[routes.items]]
n = 2
last = """ends in two quotes"""""
after = 1
'''


def test_every_header_and_key_has_its_line():
    """Comments, texts, arrays and inline tables hide no key and invent none."""
    tomllib.loads(DOCUMENT)

    assert lines_of(DOCUMENT) == {
        ("title",): 2,
        ("receiver",): 3,
        ("receiver", "tokens"): 4,
        ("receiver", "text"): 8,
        ("receiver", "literal"): 12,
        ("quoted name", "x.y"): 14,
        ("quoted name", "x.y", "a"): 15,
        ("quoted name", "x.y", "a", "b"): 15,
        ("quoted name", "x.y", "a", "b", "c d"): 15,
        ("quoted name", "x.y", "inline"): 16,
        ("routes", 0): 17,
        ("routes", 0, "to"): 18,
        ("routes", 1): 19,
        ("routes", 1, "to"): 20,
        ("routes", 1, "extra"): 21,
        ("routes", 1, "extra", "deep"): 22,
        ("routes", 1, "items", 0): 23,
        ("routes", 1, "items", 0, "n"): 24,
        ("routes", 1, "items", 1): 25,
        ("routes", 1, "items", 1, "n"): 26,
        ("routes", 1, "items", 1, "last"): 27,
        ("routes", 1, "items", 1, "after"): 28,
    }


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment", "a = 1", "a = 1 # no line end"])
def test_short_documents(text):
    """A document may be empty and need not end with a line end."""
    assert set(lines_of(text)) == {(key,) for key in tomllib.loads(text)}


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"])), min_size=1, max_size=8))
def test_texts_never_move_a_line(texts):
    """Whatever the values hold, each key stands on its own line."""
    document = "".join(f"key{number} = {_quoted(text)}\n" for number, text in enumerate(texts))
    tomllib.loads(document)

    assert {(f"key{number}",): number + 1 for number in range(len(texts))} == lines_of(document)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

"""JSON objects read as texts, and the slips that are mended."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.delacon.lenient_json import read_object

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def texts_of(body):
    """Read a body given as text, and leave the odd keys out."""
    return read_object(body.encode())[0]


class TestValues:
    """How each JSON value becomes text."""

    @pytest.mark.parametrize(
        "sent, text",
        [
            ('"  abc \\n"', "abc"),
            ("1122334", "1122334"),
            ("0", "0"),
            ("-0", "-0"),
            ("1.10", "1.10"),
            ("1e5", "1e5"),
            ("1E+05", "1E+05"),
            ("-0.0", "-0.0"),
            ("18446744073709551615", "18446744073709551615"),
            ("123456789012345678901234", "123456789012345678901234"),
            ("1e400", "1e400"),
            ("true", "true"),
            ("false", "false"),
            ("{ }", "{}"),
            ("[ 1.10 , -0, 1e400,\n null ]", "[1.10,-0,1e400,null]"),
            ('{"b" : 1, "a": [true, {"c": " d e "}]}', '{"b":1,"a":[true,{"c":" d e "}]}'),
            ('["\\u00e9", "\\"", "\\/"]', '["é","\\"","/"]'),
            ('"\\ud83d\\ude00"', "😀"),
        ],
    )
    def test_a_value_becomes_its_text(self, sent, text):
        """Texts are trimmed, numbers stay as they were written, containers become compact."""
        assert {"key": text} == texts_of(f'{{"key": {sent}}}')

    @pytest.mark.parametrize("sent", ['""', '"  \\t"', "null"])
    def test_an_empty_value_is_left_out(self, sent):
        """Empty text and null count as absent, beside a value that is read token by token too."""
        assert {} == texts_of(f'{{"key": {sent}}}')
        assert {"other": "1.0"} == texts_of(f'{{"key": {sent}, "other": 1.0}}')

    @pytest.mark.parametrize("digits", [400, 5_000, 60_000])
    def test_a_huge_integer_is_kept(self, digits):
        """An integer may have more digits than a double, or Python's own limit, can take."""
        assert {"key": "9" * digits} == texts_of(f'{{"key": {"9" * digits}}}')

    @pytest.mark.parametrize("last", ['"x"', "2.50"])
    def test_the_last_of_a_doubled_key_stands(self, last):
        """A doubled key has its last value, whichever way the body is read."""
        assert {"key": last.strip('"')} == texts_of(f'{{"key": 1.50, "key": [], "key": {last}}}')

    def test_booleans_and_containers_are_told_apart(self):
        """The keys of booleans, objects and arrays are named, as they make no id."""
        odd = {"b", "d", "e"}

        assert odd == read_object(b'{"a": "true", "b": true, "c": 1.5, "d": [], "e": {}, "f": 1}')[1]
        assert {"b"} == read_object(b'{"a": "true", "b": true, "c": 1}')[1]

    @given(st.dictionaries(st.text(), JSON_VALUES, max_size=6))
    @settings(deadline=None)
    def test_texts_are_what_the_sender_wrote(self, sent):
        """Whatever the object, each text reads back as the value that was sent."""
        texts = read_object(json.dumps(sent).encode())[0]

        for key, value in sent.items():
            if isinstance(value, str):
                assert value.strip() == texts.get(key, "")
            elif value is None:
                assert key not in texts
            else:
                assert value == json.loads(texts[key])


class TestMending:
    """What is repaired, and what is not."""

    @pytest.mark.parametrize(
        "body",
        [
            '{"key": "x",}',
            '{"key": "x",\r\n\t }  \n',
            '{"other": null, "key": "x", }',
            '\ufeff{"key": "x"}',
        ],
    )
    def test_a_trailing_comma_or_a_mark_is_mended(self, body):
        """A comma before the closing brace, and a byte order mark, do not spoil a body."""
        assert {"key": "x"} == texts_of(body)

    def test_commas_are_mended_at_every_depth(self):
        """Trailing commas inside arrays and objects go too, and those in strings stay."""
        body = r'{"a": [1, 2,], "b": {"c": ",}", "d": ",]\",}",},}'

        assert {"a": "[1,2]", "b": r'{"c":",}","d":",]\",}"}'} == texts_of(body)

    def test_half_a_surrogate_pair_becomes_the_replacement_character(self):
        """A text cut in the middle of an emoji is kept, and can be written as UTF-8 later."""
        texts = texts_of(r'{"a": "cut \ud83d", "b": "\ude00\ud83d\ude00", "\ud800": "\\ud800"}')

        assert {"a": "cut \ufffd", "b": "\ufffd😀", "\ufffd": r"\ud800"} == texts

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"  ",
            b"{",
            b"{,,}",
            b'{"a": 1,,}',
            b'{"a": 1]',
            b'{"a": "x",]',
            b'{"a": 1},',
            b'{"a": "b,}',
            b'{"a": NaN}',
            b'{"a": Infinity}',
            b'{"a": 01}',
            b'{"a": 1.2.3, "b": 1e400}',
            b'{"a": "\xff"}',
            b'{"a": "\xed\xa0\x80"}',
            b'{"a": "escaped\\\nbreak"}',
            b'{"a": "never closed\n}',
            b'{"a\n: 1}',
            b'{"a"\x00: 1}',
            b"\xff\xfe{",
            b"{'a': 1}",
            b'{"a": ' + b"[" * 30_000,
            b'{"a": 1e400, "b": ' + b"[" * 2_000 + b"]" * 2_000 + b"}",
            b'{"a": 1e400, "b": ' + b"[" * 600 + b"]" * 600 + b"}",
            b"\x1f\x8b\x08\x00",
        ],
    )
    def test_what_is_not_json_is_refused(self, body):
        """Nothing else is mended."""
        with pytest.raises(ValueError):  # noqa: PT011  whichever parser refuses, in its own words
            read_object(body)

    @pytest.mark.parametrize(
        ("sent", "text"),
        [
            (b"line\nbreak", "line\nbreak"),
            (b"one\r\ntwo\ttab", "one\r\ntwo\ttab"),
            (b"\n\t", ""),
            (b'quoted \\"\n\\" \\\\ \\n.', 'quoted "\n" \\ \n.'),
            (b"bell\x07 nul\x00 escape\x1b.", "bell\x07 nul\x00 escape\x1b."),
            (b"\xc3\xa9\n\xf0\x9f\x98\x80", "\u00e9\n\U0001f600"),
            (b"cut \\ud83d\nhere", "cut \ufffd\nhere"),
        ],
    )
    @pytest.mark.parametrize(
        "shape", [b'{"key": "%b"}', b'{"key":\n"%b",\r\n}', b'\xef\xbb\xbf{"key": "%b", "n": null}']
    )
    def test_raw_control_characters_inside_strings_are_read(self, sent, text, shape):
        """JSON wants a line break in a string written as an escape; many senders do not know."""
        assert ({"key": text} if text else {}) == read_object(shape % sent)[0]

    def test_raw_control_characters_are_read_in_keys_and_inside_values(self):
        """Beside numbers that are kept as they were written."""
        body = b'{"a\tb": 1.10, "c": ["x\ny", 1e400], "d": {"e\n": "f"}}'

        assert {"a\tb": "1.10", "c": r'["x\ny",1e400]', "d": r'{"e\n":"f"}'} == read_object(body)[0]

    @pytest.mark.parametrize("mark, encoding", [(b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")])
    def test_utf_16_with_its_mark_is_read(self, mark, encoding):
        """A byte order mark says in what the text is written."""
        assert {"key": "\u00e9\ny"} == read_object(mark + '{"key": "\u00e9\ny"}'.encode(encoding))[0]

    @pytest.mark.parametrize("layers", [1, 2])
    @pytest.mark.parametrize("inner", ['{"key": "x"}', '{"key": "x",}', ' {"key":\n"x\n"} ', '\ufeff{"key": "x"}'])
    def test_an_object_written_as_a_string_is_read(self, inner, layers):
        """Whoever serialises twice sends a string that holds JSON; the same slips are mended inside."""
        body = inner
        for _ in range(layers):
            body = json.dumps(body)

        assert {"key": "x"} == texts_of(body)

    def test_strings_in_strings_are_read_to_a_depth(self):
        """Nobody makes this parse for ever."""
        body = '{"key": "x"}'
        for _ in range(3):
            body = json.dumps(body)

        with pytest.raises(TypeError):
            texts_of(body)

    @pytest.mark.parametrize(
        "body", [b"[]", b'"a"', b'"[]"', b'"1"', b'"null"', b'"{"', b"1", b"null", b"[1e400]", b"[1,]"]
    )
    def test_json_that_is_no_object_is_told_apart(self, body):
        """Only an object has keys."""
        with pytest.raises(TypeError):
            read_object(body)

    def test_a_deep_value_is_kept(self):
        """A hundred levels are read like one."""
        deep = "[" * 100 + "1.0" + "]" * 100

        assert {"key": deep} == texts_of(f'{{"key": {deep},}}')

    def test_a_huge_number_beside_containers_within_each_other(self):
        """Every version of Python reads as many."""
        texts, _ = read_object(b'{"a": 1e400, "b": ' + b"[" * 500 + b"]" * 500 + b"}")

        assert ("1e400", "[" * 500 + "]" * 500) == (texts["a"], texts["b"])

    @pytest.mark.parametrize(
        "worst",
        [
            b",",
            b'"\\',
            b", ",
            b",}",
            b'{"a":[,]},',
            b'\\"',
            b"\\ud800",
            b"{",
            b"1",
            b'"",',
            b'"a":1.5,',
            b"\n",
            b'\t"',
            b"\\\n",
            b'\\"\n',
        ],
    )
    def test_the_repair_is_linear(self, worst):
        """No 256 KB of anything take longer than a moment; a pass that goes back would take minutes."""
        body = b'{"a":"' + worst * (262_144 // len(worst))
        started = time.perf_counter()

        with pytest.raises((ValueError, TypeError)):
            read_object(body)
        assert time.perf_counter() - started < 5

    @given(st.binary(max_size=200) | st.text(alphabet='{}[],:"\\ \n1.eu-dD8ct', max_size=60).map(str.encode))
    @settings(deadline=None, max_examples=500)
    def test_bytes_give_texts_or_a_refusal(self, body):
        """Whatever the bytes, nothing but ValueError and TypeError is raised, and every text is UTF-8."""
        try:
            texts, odd = read_object(body)
        except (ValueError, TypeError):
            return

        assert odd <= texts.keys()
        for key, text in texts.items():
            assert (key + text).encode()
            assert text == text.strip() != ""

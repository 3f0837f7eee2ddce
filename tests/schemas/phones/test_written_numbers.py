"""The table of written numbers: every row is read right, and every row can fail."""

import importlib
import re
import sys
from pathlib import Path

import pytest

import schemas
from schemas.phones.phone import read_phone
from tests.schemas.phones.written_numbers import ROWS, Row

MODULES = ("written_number", "numbering_plan", "phone")
W, N, P = MODULES
MUTANTS = {
    "a zero behind the code": (N, 'f"+{number.country_code}{', 'f"+{number.country_code}0{'),
    "a zero behind the code of a usual number": (N, 'Usual(f"+{code}{', 'Usual(f"+{code}0{'),
    "+ says nothing": (W, "return Written(digits, plus, plain,", "return Written(digits, False, plain,"),
    "00 is not +": (P, "plan.parse_international(digits[2:])", "None"),
    "what a region dials abroad is not +": (
        P,
        "[plan.parse(digits, default_region), plan.parse_int",
        "[None, plan.parse_int",
    ),
    "a carrier's prefix before 00": (P, "possible.reverse()", "pass"),
    "00 before what a region dials": (P, "if not plan.dials_abroad(digits, default_region):", "if True:"),
    "no + before digits": (P, "valid, possible = [own, plus], [own]", "valid, possible = [own], [own]"),
    "+ before the default region": (
        P,
        "usual = plan.read_usual(plain.digits, plus=plain.plus, region=default_region)",
        "usual = plan.read_usual(plain.digits, plus=True, region=default_region)",
    ),
    "the code of the region twice": (P, "possible.insert(0, plus)", "pass"),
    "the possible is nothing": (P, "for number in possible if written.whole", "for number in possible if False"),
    "the possible is verified": (P, "verified=False)", "verified=True)"),
    "a zero at the front": (P, " and not plan.begins_with_zero(number)", ""),
    "any length": (N, "== ValidationResult.IS_POSSIBLE", "is not None"),
    "any digits": (P, "    return None\n\n\ndef _may", '    return Phone(f"+{digits}", digits, None)\n\n\ndef _may'),
    "nothing is somebody": (
        P,
        "        written = written.otherwise\n",
        '        written = written.otherwise\n    phone = phone or Phone("+1", "1", None)\n',
    ),
    "Mexico as it was": (N, "if before in _OLD_MEXICAN_PREFIXES", "if False"),
    "placeholders are numbers": (W, "if not digits or digits in PLACEHOLDERS:", "if not digits:"),
    "placeholders with 1 are numbers": (W, '_ON_KEYS | {f"1{keys}"', '_ON_KEYS or {f"1{keys}"'),
    "+00 is no number": (W, 'if plus and digits.startswith("00"):', "if False:"),
    "exponents": (
        W,
        "        return _written(digits, plus=plus, whole=False, otherwise=spelt)\n",
        "        pass\n    if True:\n        return _written(digits, plus=plus, otherwise=spelt)\n",
    ),
    "fractions are digits": (W, "    if fraction is None:", "    if True:"),
    "all fractions are spoilt": (W, "    if not after.strip(", "    if False and not after.strip("),
    "points of people are fractions": (W, 'if not long and before[0] in "+0" else', "if False else"),
    "thousands are not parted": (W, "if grouped := _THOUSANDS.fullmatch(text):", "if False:"),
    "formulas stay": (W, """.removeprefix("=").strip().strip("\\"'").strip()""", ".strip()"),
    "users of addresses": (W, "return user if _USER.fullmatch(user) else None", "return user"),
    "addresses": (W, 'if "@" in text or (scheme', "if False and (scheme"),
    "names": (W, "if found := _IN_BRACKETS.search(text):", "if False:"),
    "quoted signs": (W, "text = unquote(text)", "pass"),
    "contexts": (W, "if context and not text.startswith", "if False and not text.startswith"),
    "withheld callers are shown": (W, "if _WITHHELD.match(text):", "if False:"),
    "blanks part nothing": (W, '    if body[0].rstrip("(")[-1:].isspace() or', "    if"),
    "extensions part nothing": (W, " or _BREAK.match(rest)", ""),
    "letters of persons": (P, "return not written.spelt or ", "return True or "),
    "letters are nothing": (W, "letters < _LEAST_LETTERS or", "True or"),
    "codes for the exchange": (W, 'if text[:1] in {"*", "#"} or', "if"),
    "foreign characters": (W, 'unicodedata.normalize("NFKC", text)', 'text.encode("ascii", "ignore").decode()'),
    "characters without width": (W, 'not in {"Cf", "Cc"}', 'not in {"Cc"}'),
}
"""Faults that a change of the code might bring: the module, a piece of its text, and what stands there instead."""


def understood(row: Row, read=read_phone) -> str | None:
    """Read a row as the table writes it."""
    phone = read(row.written, default_region=row.region)
    return None if phone is None else phone.e164 + ("" if phone.verified else "?")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.region} {row.written!a}")
def test_a_written_number_is_read_right(row):
    """The plan of its country says which number it is, if any."""
    assert row.right == understood(row), row.reason


def test_the_table_is_wide_enough():
    """Every country of the table is written in several ways, in the three main regions."""
    codes = {"AU": "+61", "NZ": "+64", "GB": "+44", "IN": "+91", "SG": "+65", "US and CA": "+1"}
    found = {
        name: {row.written for row in ROWS if row.right and row.right.startswith(code)} for name, code in codes.items()
    }

    assert len(set(ROWS)) == len(ROWS) >= 120
    assert {"AU", "US", "GB"} <= {row.region for row in ROWS}
    assert all(len(texts) >= 5 for texts in found.values()), found


def test_the_docs_tell_the_truth():
    """Each number of their table is read as it says there."""
    page = (Path(schemas.__file__).parents[1] / "docs/configure.md").read_text(encoding="utf-8")
    lines = [line for line in page.partition("## Phone numbers")[2].partition("\n## ")[0].splitlines() if "|" in line]
    rows = []
    for line in lines[2:]:
        written, read, _ = (cell.strip() for cell in line.strip("|").split("|"))
        rights = re.findall("`([^`]+)`", read) or [None]
        texts = re.findall("`([^`]+)`", written)
        mark = "?" if "not verified" in read else ""
        rows += [
            Row(text, "AU", right and right + mark, read)
            for text, right in zip(texts, rights * (len(texts) // len(rights)), strict=True)
        ]

    assert len(rows) >= 20
    assert [] == [row for row in rows if understood(row) != row.right]


@pytest.fixture(scope="module")
def failing(tmp_path_factory) -> dict[str, set[Row]]:
    """Return the rows that each mutant reads wrong."""
    folder = tmp_path_factory.mktemp("mutants")
    sources = {
        name: (Path(schemas.__file__).parent / "phones" / f"{name}.py").read_text(encoding="utf-8") for name in MODULES
    }
    sys.path.insert(0, str(folder))
    found = {}
    try:
        for number, (fault, (module, text, other)) in enumerate(MUTANTS.items()):
            package = f"mutant_{number}"
            (folder / package).mkdir()
            for name, source in sources.items():
                if name == module:
                    assert 1 == source.count(text), fault
                changed = source.replace(text, other) if name == module else source
                whole = changed.replace("from schemas.phones", f"from {package}")
                (folder / package / f"{name}.py").write_text(whole, encoding="utf-8")
            read = importlib.import_module(f"{package}.phone").read_phone
            found[fault] = {row for row in ROWS if understood(row, read) != row.right}
    finally:
        sys.path.remove(str(folder))
    return found


def test_every_fault_is_found(failing):
    """A fault that no row finds would go unseen."""
    assert [] == [fault for fault, rows in failing.items() if not rows]


def test_every_row_can_fail(failing):
    """A row that holds whatever the code does would tell nothing."""
    assert [] == [row for row in ROWS if not any(row in rows for rows in failing.values())]

"""Time zones come from the newer of two databases."""

import re
import struct
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.zones import ZoneDatabase, Zones

NAME = "America/Vancouver"
NOON = datetime(2026, 12, 1, 20, tzinfo=UTC)


def tzif(offset_s: int, letters: str) -> bytes:
    """Return a zone of one offset, as the files of the database are written (RFC 9636, version 1)."""
    head = struct.pack(">5s15x6l", b"TZif\0", 0, 0, 0, 0, 1, len(letters) + 1)
    return head + struct.pack(">lBB", offset_s, 0, 0) + letters.encode() + b"\0"


def database(folder: Path, *, hours: int, version_file: tuple[str, str] | None) -> ZoneDatabase:
    """Make a database that knows Vancouver alone."""
    (folder / "America").mkdir(parents=True)
    (folder / NAME).write_bytes(tzif(hours * 3600, "XXX"))
    if version_file is not None:
        (folder / version_file[0]).write_text(version_file[1])
    return ZoneDatabase.at(folder)


def hour_in(zones: Zones) -> int:
    """Return the hour that a clock in Vancouver shows at a certain moment."""
    return NOON.astimezone(zones.zone(NAME)).hour


@pytest.mark.parametrize(
    ("system", "package", "hour", "words"),
    [
        ("2025b", "2026f", 13, "2026f (tzdata package; the system's is 2025b)"),
        ("2026g", "2026f", 12, "2026g (system; the tzdata package's is 2026f)"),
        ("2027a", "2026f", 12, "2027a (system; the tzdata package's is 2026f)"),
        ("2026f", "2026f", 12, "2026f (system and tzdata package)"),
        ("2026z", "2026za", 13, "2026za (tzdata package; the system's is 2026z)"),
        ("nonsense", "2026f", 13, "2026f (tzdata package; the system's is of unknown version)"),
        (None, "2026f", 13, "2026f (tzdata package; the system's is of unknown version)"),
    ],
)
def test_the_newer_database_is_in_use(tmp_path, system, package, hour, words):  # noqa: PLR0917  a table's columns
    """By the letters behind the year; one that does not tell its version is taken for the older."""
    older = database(
        tmp_path / "system",
        hours=-8,
        version_file=None if system is None else ("tzdata.zi", f"# version {system}\n# more"),
    )
    newer = database(tmp_path / "package", hours=-7, version_file=("tzdata.zi", f"# version {package}\n"))
    zones = Zones(newer, older)

    assert hour == hour_in(zones)
    assert words == zones.words()
    assert (zones.in_use.version, system if system != "nonsense" else "unknown") == (
        zones.shape()["version"], zones.shape()["system"] if system else None,
    )  # fmt: skip


def test_the_file_of_a_mac_tells_the_version_too(tmp_path):
    """MacOS keeps it in +VERSION, and has no tzdata.zi."""
    assert "2025b" == database(tmp_path, hours=0, version_file=("+VERSION", "2025b\n")).version


def test_a_zone_that_the_newer_lacks_is_the_others(tmp_path):
    """A system may have zones of its own."""
    mine = database(tmp_path / "mine", hours=5, version_file=None)
    (mine.folder / NAME).rename(mine.folder / "America" / "Nowhere")
    zones = Zones(Zones.found([]).package, mine)

    assert 1 == NOON.astimezone(zones.zone("America/Nowhere")).hour
    assert 12 <= hour_in(zones) <= 13


@pytest.mark.parametrize(
    "name", ["", "Nowhere/City", "../secret", "/etc/hostname", "America", "tzdata.zi", "zone.tab", "a//b"]
)
def test_what_is_no_zone_is_not_opened(tmp_path, name):
    """A name leads to no file outside the database, and to none that holds no zone."""
    zones = Zones.found([str(database(tmp_path / "a", hours=1, version_file=("+VERSION", "2099a")).folder)])

    with pytest.raises(LookupError):
        zones.zone(name)


def test_without_a_database_of_the_system_the_package_serves():
    """As on Windows and in small images."""
    zones = Zones.found(["/nowhere"])

    assert zones.system is None
    assert zones.shape()["system"] is None
    assert "the system has none" in zones.words()
    assert zones.zone(NAME) is zones.zone(NAME)


def test_the_machines_own_databases_tell_their_versions():
    """The package's is read from its files, and is one that IANA gives."""
    assert Zones.found().package.age > (2026, 0, "")


def test_no_other_room_opens_a_zone_by_itself():
    """Python's own search would take the system's, however old."""
    root = Path(__file__).parents[2]
    rooms = ("schemas", "worker", "tasks", "receiver", "deploy")
    files = [file for room in rooms for file in (root / room).rglob("*.py")]
    openers = [file for file in files if re.search(r"ZoneInfo[.(]", file.read_text())]

    assert [root / "schemas" / "zones.py"] == openers


def test_vancouver_stays_on_summer_time_by_the_package():
    """Since November 2026 its clocks are not put back; databases before 2026 do not know."""
    assert 13 == hour_in(Zones.found([]))

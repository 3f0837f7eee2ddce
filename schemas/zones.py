"""Time zones, from the newer of the system's zone database and the ``tzdata`` package (contract, section 5).

Python itself asks the system's folder first however old it is, and countries change their clocks at short notice.
"""

import re
import zoneinfo
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from zoneinfo import ZoneInfo

_KEY = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*")
_VERSION = re.compile(r"(\d{4})([a-z]*)")
_FIRST_LINE = 100  # bytes of a file that hold its version
_SAYS_VERSION = (("tzdata.zi", "# version "), ("+VERSION", ""), ("VERSION", ""))
"""The files in which a database tells its version, and what stands before it; macOS has the second."""


@dataclass(frozen=True, slots=True)
class ZoneDatabase:
    """One folder of zones; ``version`` such as ``2026f``, ``None`` where it does not say."""

    folder: Path
    version: str | None

    @classmethod
    def at(cls, folder: Path) -> "ZoneDatabase":
        """Look at a folder."""
        return cls(folder, _version_of(folder))

    @property
    def age(self) -> tuple[int, int, str]:
        """Return what orders versions, newest last; an unknown one is the oldest. After ``2026z`` comes ``2026za``."""
        match = _VERSION.fullmatch(self.version or "")
        return (int(match[1]), len(match[2]), match[2]) if match else (0, 0, "")


@dataclass(frozen=True, slots=True)
class Zones:
    """Both databases; the package's stands in wherever the system's is older, of unknown version, or not there."""

    package: ZoneDatabase
    system: ZoneDatabase | None
    _opened: dict[str, ZoneInfo] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def found(cls, folders: Iterable[str] | None = None) -> "Zones":
        """Look for both; ``folders`` are where the system's may be, by default those that Python knows."""
        package = ZoneDatabase.at(Path(str(resources.files("tzdata"))) / "zoneinfo")
        places = (Path(folder) for folder in (zoneinfo.TZPATH if folders is None else folders))
        system = next((ZoneDatabase.at(folder) for folder in places if folder.is_dir()), None)
        return cls(package, system)

    @property
    def in_use(self) -> ZoneDatabase:
        """Return the newer one; of two of one version, the system's."""
        return self.system if self.system is not None and self.system.age >= self.package.age else self.package

    def zone(self, name: str) -> ZoneInfo:
        """Return the zone of an IANA name; raises ``LookupError`` where neither database has it."""
        if name not in self._opened:
            self._opened[name] = self._open(name)
        return self._opened[name]

    def _open(self, name: str) -> ZoneInfo:
        others = (one for one in (self.package, self.system) if one is not None and one is not self.in_use)
        if _KEY.fullmatch(name):
            for database in (self.in_use, *others):
                try:
                    with (database.folder / name).open("rb") as file:
                        return ZoneInfo.from_file(file, key=name)
                except (OSError, ValueError):
                    continue  # not there, a folder, or no zone
        raise LookupError(name)

    def shape(self) -> dict[str, str | None]:
        """Return the versions as JSON values."""
        return {
            "version": self.in_use.version,
            "source": "tzdata package" if self.in_use is self.package else "system",
            "system": self.system.version or "unknown" if self.system else None,
            "package": self.package.version,
        }

    def words(self) -> str:
        """Return the version in use as words, and both where they differ."""
        if self.system is None:
            return f"{self.package.version} (tzdata package; the system has none)"
        if self.system.age == self.package.age:
            return f"{self.package.version} (system and tzdata package)"
        package, system = self.package.version, self.system.version or "of unknown version"
        if self.in_use is self.package:
            return f"{package} (tzdata package; the system's is {system})"
        return f"{system} (system; the tzdata package's is {package})"


def _version_of(folder: Path) -> str | None:
    for name, before in _SAYS_VERSION:
        try:
            with (folder / name).open("rb") as file:
                line = file.readline(_FIRST_LINE).decode("ascii", "replace").strip()
        except OSError:
            continue
        version = line.removeprefix(before).strip()
        if line.startswith(before) and _VERSION.fullmatch(version):
            return version
    return None


@cache
def zones() -> Zones:
    """Return this process's databases, looked for once."""
    return Zones.found()

"""Reading of a TOML file whose texts name variables of the environment."""

import re
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path as FilePath
from typing import Any

from worker.config.faults import Faults, Path
from worker.errors import SettingsError

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)(\}?)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def read_toml(
    file: FilePath, environ: Mapping[str, str], *, of_others: Collection[str] = ()
) -> tuple[dict[str, Any], Faults]:
    """Read ``file`` and replace the variables that it names (contract, section 4).

    ``of_others``: tables whose secrets this process does not use. A variable that is missing there is no fault; what
    stands for it would be refused by whoever it is shown to.
    Returns the document and the faults found so far. Raises ``SettingsError`` when there is no document at all: the
    file is missing, unreadable, or no TOML.
    """
    try:
        text = file.read_bytes().decode()
    except OSError as error:
        raise SettingsError([f"{file}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise SettingsError([f"{file}:{line}: is not UTF-8 text"]) from error
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([_syntax_fault(file, str(error))]) from error
    faults = Faults(str(file), text.replace("\r\n", "\n"))
    return {
        key: _put_in(value, (key,), _Filled(environ) if key in of_others else environ, faults)
        for key, value in document.items()
    }, faults


class _Filled(dict[str, str]):
    """An environment with a value for every variable."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> str:
        return f"https://not-given-to-this-process/{name}"  # may stand for a key or for a whole address


def _syntax_fault(file: FilePath, message: str) -> str:
    """Move tomllib's place to the front, where editors look for it."""
    place = _PLACE.search(message)
    if place is None:
        return f"{file}: {message}"
    text = message[: place.start()]
    return f"{file}:{place[1]}:{place[2]}: {text}" if place[1] else f"{file}: {text} at the end of the file"


def _put_in(value: Any, path: Path, environ: Mapping[str, str], faults: Faults) -> Any:
    """Replace ``${NAME}`` in every text, once: what a variable holds is not looked at again."""
    match value:
        case dict():
            return {key: _put_in(inner, (*path, key), environ, faults) for key, inner in value.items()}
        case list():
            return [_put_in(inner, (*path, index), environ, faults) for index, inner in enumerate(value)]
        case str() if "${" in value:
            return _REFERENCE.sub(lambda match: _look_up(match, path, environ, faults), value)
        case _:
            return value


def _look_up(reference: re.Match[str], path: Path, environ: Mapping[str, str], faults: Faults) -> str:
    name, closed = reference[1], reference[2]
    if name is None:
        return "${"
    if not closed or not _NAME.fullmatch(name):
        faults.add(path, "'${' must begin a variable such as ${NAME}; write '$${' for a literal '${'")
    elif name not in environ:
        faults.add(path, f"the environment variable {name} is not set")
    else:
        faults.hide(environ[name])
    return environ[name] if name in environ else ""  # noqa: SIM401  get() knows no default for what is missing

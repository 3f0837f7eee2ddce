"""What every process reads before it does anything: its environment and the configuration file."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from schemas.destination import VendorSpec
from worker.config.environment import Environment
from worker.config.settings import Settings, load_settings
from worker.errors import SettingsError


def read_startup(
    environ: Mapping[str, str],
    *,
    specs: Iterable[VendorSpec],
    redis_required: bool = True,
    check: Callable[[Settings], Sequence[str]] = lambda _: (),
) -> tuple[Environment, Settings]:
    """Read both; raises ``SettingsError`` with the faults of both at once, and with what ``check`` finds besides."""
    faults: list[str] = []
    environment: Environment | None = None
    try:
        environment = Environment.read(environ, redis_required=redis_required)
    except SettingsError as error:
        faults += error.faults
    path = environment.config if environment else Path(environ.get("SWITCHBOARD_CONFIG") or "switchboard.toml")
    try:
        settings = load_settings(path, environ, specs=specs)
    except SettingsError as error:
        raise SettingsError([*faults, *error.faults]) from error
    faults += check(settings)
    if environment is None or faults:
        raise SettingsError(faults)
    return environment, settings

"""The settings of every process, read from the configuration file: frozen, and refused with all faults at once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from schemas.destination import Destination, VendorSpec
from worker.config.alerts import AlertRule, read_alerts
from worker.config.console import ConsoleSettings, read_console
from worker.config.delacon import DelaconSettings, read_delacon
from worker.config.destinations import LoadedDestination, read_destination, read_url
from worker.config.environment import Environment
from worker.config.faults import Faults
from worker.config.receiver import ReceiverSettings, read_receiver
from worker.config.routes import Route, read_routes
from worker.config.tables import CallcapTable, CallsTable, DeadLettersTable, ImportTable, read_table
from worker.config.toml import read_toml
from worker.config.values import delacon_key
from worker.errors import SettingsError

LEASE_MARGIN_S = 30.0
"""A lease outlives the attempt it covers by this much (contract, section 6)."""

_TABLES = (
    "receiver",
    "calls",
    "destinations",
    "routes",
    "dead_letters",
    "callcap",
    "import",
    "console",
    "alerts",
    "delacon",
)
_OF_OTHERS = {"receiver": ("destinations", "callcap", "alerts", "delacon"), "worker": ("receiver",)}
"""By role: the tables whose secrets that role does not use, so that nobody has to hand them to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSettings:
    """``[calls]``."""

    end_wait_s: float
    start_wait_s: float
    retention_s: float
    dead_retention_s: float
    remember_s: float
    default_region: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallcapSettings:
    """``[callcap]``."""

    url: str
    api_key: str = field(repr=False)
    encoding: str
    """``form`` or ``json``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The whole configuration (contract, section 4)."""

    receiver: ReceiverSettings
    calls: CallSettings
    destinations: Mapping[str, Destination]
    routes: tuple[Route, ...]
    publish_dead_letters: bool
    callcap: CallcapSettings | None
    import_columns: Mapping[str, str]
    """CSV header to Delacon's key."""
    import_timezone: ZoneInfo | None
    """Of dates of an import that name none."""
    import_date_formats: tuple[str, ...]
    """Of ``strptime``."""
    console: ConsoleSettings
    alerts: tuple[AlertRule, ...]
    delacon: DelaconSettings | None
    specs: Mapping[str, VendorSpec] = field(repr=False)
    """The vendors' specifications, by name."""
    secrets: frozenset[str] = field(repr=False)
    """Every token and key of the file: what must never be shown."""
    digest: str
    """Of the file as it is written, before variables are put in: processes that read the same file have the same."""
    changed_ms: int
    """When the file was last changed, in epoch milliseconds."""


def lease_s(destination: Destination) -> float:
    """Return how long a claim of this destination holds, in seconds: longer than any attempt takes."""
    return destination.timeout_s + LEASE_MARGIN_S


def load_settings(path: Path, environ: Mapping[str, str], *, specs: Iterable[VendorSpec]) -> Settings:
    """Read and check the configuration file; raises ``SettingsError`` with every fault and its place."""
    document, faults = read_toml(path, environ, of_others=_OF_OTHERS.get(environ.get("SWITCHBOARD_ROLE", ""), ()))
    by_name = {spec.name: spec for spec in specs}
    for key in document.keys() - set(_TABLES):
        faults.add_unknown((key,), _TABLES)
    receiver = read_receiver(document, faults)
    calls = _calls(document, faults)
    loaded = _destinations(document, by_name, calls.default_region, faults)
    routes = read_routes(document, default_region=calls.default_region, faults=faults)
    dead_letters = read_table(DeadLettersTable, document.get("dead_letters", {}), ("dead_letters",), faults)
    callcap = _callcap(document, faults)
    imports = read_table(ImportTable, document.get("import", {}), ("import",), faults, beside=("columns",))
    columns = _import_columns(document, faults)
    console = read_console(document, faults)
    alerts = read_alerts(document, faults)
    delacon = read_delacon(document, faults)
    faults.raise_if_any()
    secrets = {*receiver.posting_tokens, *receiver.ops_tokens}
    secrets.update(secret for one in loaded.values() for secret in one.secrets)
    if callcap is not None:
        secrets.add(callcap.api_key)
    if delacon is not None:
        secrets.add(delacon.auth)
    secrets.update(text for rule in alerts for target in rule.to for text in (target.address, target.secret) if text)
    return Settings(
        receiver=receiver,
        calls=calls,
        destinations={name: one.destination for name, one in loaded.items()},
        routes=routes,
        publish_dead_letters=dead_letters["publish"],
        callcap=callcap,
        import_columns=columns,
        import_timezone=imports["timezone"],
        import_date_formats=imports["date_formats"],
        console=console,
        alerts=alerts,
        delacon=delacon,
        specs=by_name,
        secrets=frozenset(secrets),
        digest=blake2b(path.read_bytes(), digest_size=6).hexdigest(),
        changed_ms=path.stat().st_mtime_ns // 1_000_000,
    )


def _calls(document: Mapping[str, Any], faults: Faults) -> CallSettings:
    table = read_table(CallsTable, document.get("calls", {}), ("calls",), faults)
    region = table.pop("default_region")
    return CallSettings(default_region=region, **{f"{name}_s": seconds for name, seconds in table.items()})


def _destinations(
    document: Mapping[str, Any], specs: Mapping[str, VendorSpec], region: str, faults: Faults
) -> dict[str, LoadedDestination]:
    tables = document.get("destinations", {})
    if not isinstance(tables, dict):
        faults.add(("destinations",), "must be tables such as [destinations.crm]")
        return {}
    loaded: dict[str, LoadedDestination] = {}
    for name, table in tables.items():
        one = read_destination(name, table, specs=specs, default_region=region, faults=faults)
        if one is not None:
            loaded[name] = one
    return loaded


def _callcap(document: Mapping[str, Any], faults: Faults) -> CallcapSettings | None:
    if "callcap" not in document:
        return None
    table = document["callcap"]
    read = read_table(CallcapTable, table, ("callcap",), faults, beside=("url",))
    url = read_url(table, ("callcap",), faults, allow_http=read["allow_http"]) if isinstance(table, dict) else ""
    return CallcapSettings(url=url, api_key=read.get("api_key", ""), encoding=read["encoding"])


def _import_columns(document: Mapping[str, Any], faults: Faults) -> dict[str, str]:
    table = document.get("import", {})
    if not isinstance(table, dict) or not isinstance(table.get("columns", {}), dict):
        faults.add(("import", "columns"), "must be a table [import.columns]")
        return {}
    columns: dict[str, str] = {}
    for header, value in table.get("columns", {}).items():
        try:
            columns[header] = delacon_key(value)
        except (TypeError, ValueError) as error:
            faults.add(("import", "columns", header), str(error))
    return columns


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

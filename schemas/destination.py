"""A configured account at a vendor, and what the settings must know of a vendor."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from marshmallow import Schema

from schemas.template import Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """One ``[destinations.NAME]`` table (contract, section 4)."""

    name: str
    vendor: str
    url: str
    phone_format: str
    """``national``, ``e164`` or ``digits``."""
    region: str
    """Two letters: the country whose numbers ``national`` writes without +."""
    timeout_s: float
    concurrency: int
    rate_per_s: float | None
    max_age_s: float | None
    retry_s: tuple[float, ...]
    """The waits between attempts, in seconds; after the last one a delivery is dead."""
    fields: Mapping[str, Template | None]
    """The mapping in force, wire key to template: the defaults with ``[destinations.NAME.fields]`` laid over.

    ``None``: dropped with ``""``, also where the value would have come by code (``VendorSpec.fixed_fields``).
    """
    options: Any = field(repr=False)
    """The vendor's own frozen dataclass, loaded by ``VendorSpec.options``; may hold keys."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """The values of the vendor's ``secret_options``: blanked wherever a reply or a request is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorSpec:
    """What the settings need to check and build a vendor's destinations; one constant ``SPEC`` a vendor file."""

    name: str
    options: type[Schema]
    """Loads the vendor's own keys of the TOML table into its options dataclass (durations as seconds).

    Its ``context``-free loads raise ``ValidationError``; unknown keys are the settings' business.
    """
    default_fields: Mapping[str, str]
    """Wire key to template text: the default mapping of contract section 7, optional and required keys alike."""
    required_fields: frozenset[str]
    """Wire keys whose override may not be ``""``; also those that no template fills, such as Captorra's ``Date``."""
    fixed_fields: frozenset[str] = frozenset()
    """Wire keys that come from the options or the call by code, and that ``fields`` may override by a template."""
    template_options: frozenset[str] = frozenset()
    """Option keys whose text is a template, such as ``email``; ``options`` itself checks and loads them."""
    secret_options: frozenset[str] = frozenset()
    """Option keys whose values are blanked wherever they would be shown: texts, or tables of texts."""
    max_age_s: float | None = None
    """The default of ``max_age``."""
    posts_to_url: bool = False
    """Requests go to ``url`` as it stands; otherwise the vendor adds its paths."""

"""From a call to the flat texts of a vendor's body: templates, texts by code, limits."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.call import Call
from schemas.destination import VendorSpec
from schemas.fields import cut
from schemas.template import Template


@dataclass(frozen=True, slots=True)
class Filled:
    """The non-empty values by wire key, and what was cut."""

    values: dict[str, str] = field(repr=False)
    notes: tuple[str, ...] = ()


def mapping_in_force(
    spec: VendorSpec, overrides: Mapping[str, str]
) -> tuple[dict[str, Template | None], dict[str, str]]:
    """Lay ``[destinations.NAME.fields]`` over a vendor's default mapping (contract, section 4).

    Returns ``Destination.fields`` and the faults by wire key: a bad template, or ``""`` for a required key.
    """
    fields: dict[str, Template | None] = {key: Template.parse(text) for key, text in spec.default_fields.items()}
    faults: dict[str, str] = {}
    for key, text in overrides.items():
        if not key.strip():
            faults[key] = "a field needs a name"
        elif text.strip():
            try:
                fields[key] = Template.parse(text)
            except ValueError as error:
                faults[key] = str(error)
        elif key in spec.required_fields:
            faults[key] = f"{spec.name} requires this field: it cannot be dropped"
        else:
            fields[key] = None
    return fields, faults


def fill(
    fields: Mapping[str, Template | None], call: Call, *, by_code: Mapping[str, str], limits: Mapping[str, int]
) -> Filled:
    """Make the body's texts: a template of ``fields`` goes before the text ``by_code`` of the same key.

    Texts are trimmed, cut to ``limits`` (characters) with a note that tells no content, and left out when empty.
    """
    texts = dict(by_code)
    text_of = call.text
    for key, template in fields.items():
        texts[key] = "" if template is None else text_of(template.name) if template.name else template.render(text_of)
    values: dict[str, str] = {}
    notes: list[str] = []
    for key, text in texts.items():
        kept = text.strip()
        if not kept:
            continue
        limit = limits.get(key)
        if limit is not None and len(kept) > limit:
            notes.append(f"{key} cut from {len(kept)} to {limit} characters")
            kept = cut(kept, limit)[0].strip()
        values[key] = kept
    return Filled(values, tuple(notes))

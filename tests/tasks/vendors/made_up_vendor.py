"""A fourth vendor, as small as one can be; as a pytest plugin it adds itself to the registry."""

from dataclasses import dataclass, field
from typing import Any

from marshmallow import post_load

from schemas.delivery import Order, Prepared, Receipt, Request, Response
from schemas.destination import Destination, VendorSpec
from schemas.fields import phone_for
from schemas.mapping import fill
from schemas.options import Option, OptionsSchema, secret
from schemas.reply import flag_of, read_reply
from tasks.vendors import registry
from tasks.vendors.protocol import Http
from tasks.vendors.status_rules import post_and_judge, refused, require_caller, unanswered


@dataclass(frozen=True, slots=True, kw_only=True)
class AcmeOptions:
    """Acme's own keys."""

    token: str = field(repr=False)


class AcmeOptionsSchema(OptionsSchema):
    """Reads Acme's own keys."""

    token = Option(secret, required=True)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> AcmeOptions:
        return AcmeOptions(**data)


SPEC = VendorSpec(
    name="acme",
    options=AcmeOptionsSchema,
    default_fields={"note": "{result}", "city": "{city}"},
    required_fields=frozenset({"number"}),
    fixed_fields=frozenset({"number"}),
    secret_options=frozenset({"token"}),
)


class Acme:
    """A vendor that takes a number and a note."""

    spec: VendorSpec = SPEC
    updates: bool = False
    one_at_a_time: bool = False
    suppressible: bool = False

    def delivers_at_start(self, destination: Destination) -> bool:
        """Say no."""
        return destination.name == ""

    def withdraw_within_s(self, destination: Destination) -> float | None:
        """Say never."""
        return 1.0 if destination.name == "" else None

    def withdraw_scope(self, destination: Destination) -> str:
        """Say the default."""
        return "destination" if destination.name == "" else "route"

    def resend_is_safe(self, destination: Destination) -> bool:
        """Say yes."""
        return destination.name != ""

    def prepare(self, order: Order) -> Prepared:
        """Build the request."""
        to = order.destination
        by_code = {"number": phone_for(order.call, phone_format=to.phone_format, region=to.region)}
        filled = fill(to.fields, order.call, by_code=by_code, limits={"note": 10})
        gaps = require_caller(filled, SPEC, caller_key="number")
        request = Request(method="POST", url=f"{to.url}/calls?token={to.options.token}", json=filled.values)
        return Prepared(request=request, notes=(*filled.notes, *gaps), fields=filled.values)

    def judge(self, order: Order, response: Response) -> Receipt:
        """Read ``{"ok": true}``, or ``false`` with ``why``."""
        reply = read_reply(response, secrets=order.destination.secrets)
        document = reply.document or {}
        why = str(document.get("why", ""))
        match flag_of(document.get("ok")):
            case True:
                return Receipt()
            case False if why == "seen":
                return Receipt(duplicate=True)
            case False:
                raise refused(reply, why)
            case _:
                raise unanswered(reply)

    async def send(self, order: Order, *, prepared: Prepared, http: Http) -> Receipt:
        """Post once and judge."""
        return await post_and_judge(self.judge, order, prepared=prepared, http=http)


def pytest_configure() -> None:
    """Add the line that a real vendor would have in the registry."""
    registry.VENDORS = registry.by_name((*registry.VENDORS.values(), Acme()))

"""The OpenAPI document of the console's API."""

from collections.abc import Mapping
from typing import Any, Final

from deploy.console.changes import CHANGES
from schemas.delivery import State
from worker.build import code_version

TEXT: Final = {"type": "string"}
COUNT: Final = {"type": "integer", "minimum": 0}
MAYBE_TEXT: Final = {"type": ["string", "null"]}
_OLDER: Final = {"type": ["string", "null"], "description": "Where the next page begins; null: there is none."}


def _object(**fields: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(fields), "properties": fields}


def _list(of: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": of}


_DELIVERY: Final = _object(
    key=TEXT, call_id=TEXT, destination=TEXT, vendor=MAYBE_TEXT, action=TEXT,
    state={"enum": [state.value for state in State]}, reason=TEXT, attempts=COUNT, due_at=MAYBE_TEXT,
    lease_until=MAYBE_TEXT, ended_at=MAYBE_TEXT,
)  # fmt: skip
_SHORT: Final = _object(destination=TEXT, action=TEXT, state=TEXT)
_CALL: Final = _object(
    call_id=TEXT, state=TEXT, started_at=MAYBE_TEXT, caller=MAYBE_TEXT, service_name=MAYBE_TEXT, result=MAYBE_TEXT,
    deliveries=_list(_SHORT),
)  # fmt: skip
_WHOLE: Final = _object(
    call={"type": "object"}, state=TEXT, revision=COUNT, routes=_list(TEXT), events=_list({"type": "object"}),
    deliveries=_list({"type": "object"}),
)  # fmt: skip
_DESTINATION: Final = _object(
    destination=TEXT, vendor=MAYBE_TEXT, state={"enum": ["ok", "paused", "blocked", "circuit open"]}, reason=TEXT,
    queued=COUNT, due=COUNT, in_flight=COUNT, dead=COUNT, oldest_due_seconds={"type": "number"},
)  # fmt: skip
_LETTER: Final = _object(
    key=TEXT, call_id=TEXT, destination=TEXT, vendor=MAYBE_TEXT, action=TEXT, reason=TEXT, words=TEXT, died_at=TEXT,
    attempts=COUNT,
)  # fmt: skip
_CAUSE: Final = _object(destination=TEXT, reason=TEXT, words=TEXT, cause=TEXT, count=COUNT, oldest=TEXT, newest=TEXT)
_AUDITED: Final = {
    "type": "object", "required": ["id", "at", "who", "by", "from", "what", "which", "count"],
    "properties": {**dict.fromkeys(("id", "at", "who", "by", "from", "what", "which"), TEXT), "count": COUNT},
}  # fmt: skip
_CHORE: Final = _object(
    id=TEXT, title=TEXT, by=TEXT, state={"enum": ["running", "waiting", "done", "stopped", "failed"]}, total=COUNT,
    seen=COUNT, done=COUNT,
)  # fmt: skip
_DONE: Final = _object(ok={"type": "boolean"}, count=COUNT, text=TEXT, details={"type": "object"})
_ERROR: Final = _object(error=TEXT)
_FILTERS: Final = {
    "q": "an id or a part of one; a caller's number in any form, or its last digits",
    "state": "waiting, ready, unrouted or no_start",
    "destination": "a destination's name",
    "service": "a service's id, or a part of its name",
    "result": "answered, unanswered or busy",
    "since": "a day, or a moment with its zone (ISO 8601)",
    "until": "the same; a day is whole in it",
    "older": "where to go on: what the page before ended with",
}


def document() -> dict[str, Any]:
    """Return the document."""
    listed = [_parameter(name, text) for name, text in _FILTERS.items()]
    by_delivery = [_parameter("state", "a state of a delivery"), *(one for one in listed if one["name"] != "state")]
    dead = [
        _parameter("by", "cause: the causes instead of the letters"), _parameter("destination", "a destination's name"),
        _parameter("reason", "a reason"),
    ]  # fmt: skip
    chore = _parameter("chore_id", "the id that the change gave", place="path")
    return {
        "openapi": "3.1.0",
        "info": {"title": "Switchboard's console", "version": code_version()},
        "security": [{"basic": []}, {"session": []}],
        "paths": {
            "/api/v1/session": _get("Who asks, and the token of a change.", _object(user=TEXT, form_token=TEXT)),
            "/api/v1/calls": _get("A page of calls.", _object(calls=_list(_CALL), older=_OLDER), listed),
            "/api/v1/calls/{call_id}": _get("One call whole.", _WHOLE, [_parameter("call_id", "its id", place="path")]),
            "/api/v1/deliveries": _get(
                "Deliveries of a page of calls.", _object(deliveries=_list(_DELIVERY), older=_OLDER), by_delivery
            ),
            "/api/v1/dead": _get(
                "Dead letters, or their causes.",
                {"oneOf": [_object(dead=_list(_LETTER)), _object(causes=_list(_CAUSE), whole={"type": "boolean"})]},
                dead,
            ),
            "/api/v1/destinations": _get("Every destination.", _list(_DESTINATION)),
            "/api/v1/stats": _get(
                "Figures.", _object(ledger={"type": ["object", "null"]}, destinations=_list(_DESTINATION))
            ),
            "/api/v1/audit": _get(
                "Who changed what.", _object(audit=_list(_AUDITED), older_ms={"type": ["integer", "null"]}),
                [_parameter("who", "a name"), _parameter("before", "epoch milliseconds")],
            ),
            "/api/v1/chores/{chore_id}": _get("How far long work has come.", _CHORE, [chore]),
            "/api/v1/chores/{chore_id}/stop": {"post": _operation("Stop long work.", _CHORE, [chore])},
            **{f"/api/v1/change/{name}": {"post": _change(name, of.__doc__ or "")} for name, of in CHANGES.items()},
        },
        "components": {
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic"},
                "session": {"type": "apiKey", "in": "cookie", "name": "switchboard"},
            }
        },
    }  # fmt: skip


def _parameter(name: str, text: str, *, place: str = "query") -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1} if place == "path" else TEXT
    return {"name": name, "in": place, "required": place == "path", "description": text, "schema": schema}


def _get(summary: str, schema: Mapping[str, Any], parameters: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"get": _operation(summary, schema, parameters or [])}


def _operation(summary: str, schema: Mapping[str, Any], parameters: list[dict[str, Any]]) -> dict[str, Any]:
    faults = {
        "400": "Wrong use.", "401": "Sign in.", "403": "Not for you.", "404": "There is no such thing, or not for you.",
        "503": "Redis does not answer.",
    }  # fmt: skip
    return {
        "summary": summary,
        "parameters": parameters,
        "responses": {
            "200": _response("Done.", schema),
            **{status: _response(text, _ERROR) for status, text in faults.items()},
        },
    }


def _change(name: str, text: str) -> dict[str, Any]:
    operation = _operation(text.splitlines()[0], _DONE, [])
    fields = {"type": "object", "additionalProperties": {"anyOf": [TEXT, {"type": "number"}, _list(TEXT)]}}
    operation["requestBody"] = {"content": {"application/json": {"schema": fields}}}
    if name.startswith("dead."):
        operation["responses"]["202"] = _response("Long work was begun; details.chore is its id.", _DONE)
    for status, said in (("409", "Nothing to do in this state."), ("413", "Too much."), ("429", "Wait.")):
        operation["responses"][status] = _response(said, _ERROR)
    return operation


def _response(text: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": dict(schema)}}}

"""Keeps Flower shut: it needs a password, binds loopback unless told otherwise, and is read-only."""

import sys
from collections.abc import MutableMapping, Sequence
from html import escape
from typing import Any

from worker.broker import open_redis
from worker.config.environment import host_name, port_number, web_address
from worker.config.values import is_printed
from worker.redis_address import RedisAddress

LEAST = 12
"""Characters of a password (contract, section 2)."""
_OPTIONS = ("--basic-auth=", "--basic_auth=")


def guard_flower(argv: Sequence[str], environ: MutableMapping[str, str]) -> None:
    """Make ``celery -A worker flower`` safe; refuse it, with status 2, without ``FLOWER_BASIC_AUTH`` or ``REDIS_URL``.

    Flower's own defaults are an open page on every address, on which anyone may stop workers, and another broker.
    """
    if "flower" not in argv:
        return
    faults = []
    redis_url = environ.get("REDIS_URL", "").strip()
    try:
        RedisAddress.parse(redis_url)
    except ValueError as error:
        faults.append(f"environment: REDIS_URL {error if redis_url else 'is required'}")
    for name, read in (("FLOWER_PORT", port_number), ("FLOWER_ADDRESS", host_name), ("CONSOLE_URL", web_address)):
        try:
            if value := environ.get(name, "").strip():
                read(value)
                environ[name] = value
            else:  # empty, the port would be no number and the address every one
                environ.pop(name, None)
        except ValueError as error:
            faults.append(f"environment: {name} {error}")
    given = [argument.partition("=")[2] for argument in argv if argument.startswith(_OPTIONS)]
    users = (given[-1] if given else environ.get("FLOWER_BASIC_AUTH", "")).split(",")
    passwords = [user.partition(":")[2] for user in users]
    if not all(passwords):
        faults.append("Flower needs a password: set FLOWER_BASIC_AUTH to user:password.")
    elif any(len(password) < LEAST for password in passwords):
        faults.append(f"FLOWER_BASIC_AUTH: a password must have at least {LEAST} characters.")
    elif any(is_printed(password) for password in passwords):
        faults.append("FLOWER_BASIC_AUTH: a password is the one that is printed in the example; take one of your own.")
    if faults:
        print(*faults, sep="\n", file=sys.stderr)  # noqa: T201
        raise SystemExit(2)
    environ.setdefault("FLOWER_ADDRESS", "127.0.0.1")
    environ["FLOWER_READ_ONLY"] = "True"
    _read_queues_by(redis_url)
    if url := environ.get("CONSOLE_URL", ""):
        _link_to_console(url)


def _link_to_console(url: str) -> None:
    """Put a link to the console beside the links of Flower's own pages: it knows what became of the calls."""
    from flower.views import BaseHandler  # noqa: PLC0415  only where Flower runs

    link = f'<li class="nav-item"><a class="nav-link" href="{escape(url)}">Calls (console)</a></li></ul>'.encode()
    render = BaseHandler.render_string

    def with_link(self: Any, template_name: str, **values: Any) -> bytes:
        page: bytes = render(self, template_name, **values)
        head, navigation, rest = page.partition(b'<ul class="app-nav navbar-nav">')
        return head + navigation + rest.replace(b"</ul>", link, 1) if navigation else page

    BaseHandler.render_string = with_link


def _read_queues_by(redis_url: str) -> None:
    """Make Flower count its queues' messages through a client of ours.

    Its own reads ``redis+socket://`` and ``sentinel://`` URLs without their database, asks the first Sentinel only, and
    takes no options.
    """
    from flower.utils import broker  # noqa: PLC0415  only where Flower runs

    class Broker(broker.RedisBase):  # type: ignore[misc]
        def __init__(self, broker_url: str, *args: Any, **options: Any) -> None:
            super().__init__(broker_url, *args, **options)
            self.redis = open_redis(redis_url)

    broker.Broker.__new__ = lambda _, *args, **options: Broker(*args, **options)

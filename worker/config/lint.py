"""Warnings about a configuration that is valid and may still not be what was meant."""

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from schemas.call import MISSED
from schemas.destination import Destination
from worker.config.routes import Route
from worker.config.settings import Settings
from worker.config.values import is_monotonous

MOST_LIST_S = 31 * 86_400.0
KNOWN_RESULTS = MISSED | {"answered"}


def warnings(
    settings: Settings,
    *,
    calls_back: Callable[[Destination], bool],
    withdraws: Callable[[Destination], bool] = lambda _: False,
    list_ages: Mapping[str, float] | None = None,
) -> list[str]:
    """Return sentences for ``switchboard check``, none of which stops a process.

    ``calls_back`` says whether a destination makes somebody call the caller back, and does not itself leave answered
    calls out: such a one should not be sent answered calls. ``withdraws``: whether an answered call of one service may
    withdraw a missed call of another there. ``list_ages``: those that ask for a do-not-call list, and how old it may be
    in seconds.
    """
    return [
        *_receiver(settings),
        *_times(settings),
        *_regions(settings),
        *_routes(settings),
        *_urls(settings),
        *_open_routes(settings, withdraws),
        *_lists(list_ages or {}),
        *(
            f"destinations.{name}: may be sent answered calls, and each caller would be called back; "
            "give its routes results = ['unanswered', 'busy']"
            for name, destination in settings.destinations.items()
            if calls_back(destination) and any(_sends_answered(route, name) for route in settings.routes)
        ),
    ]


def _receiver(settings: Settings) -> list[str]:
    receiver = settings.receiver
    if not receiver.posting_tokens:
        return ["receiver.tokens: there is none, so the receiver starts on loopback only"]
    found = []
    if receiver.trusted_proxies and not receiver.proxy_networks:
        found.append("receiver.proxy_networks: there is none, so the receiver trusts its proxies on loopback only")
    if any(is_monotonous(token) for token in (*receiver.posting_tokens, *receiver.ops_tokens)):
        found.append("receiver: a token has so few different characters that it may be guessed; take a random one")
    return found


def _times(settings: Settings) -> list[str]:
    calls = settings.calls
    found = []
    if calls.remember_s < calls.retention_s:
        found.append("calls.remember: is shorter than retention, so an id may be forgotten before its call")
    if calls.start_wait_s > calls.end_wait_s:
        found.append("calls.start_wait: is longer than end_wait")
    return found


def _regions(settings: Settings) -> list[str]:
    ours = settings.calls.default_region
    regions = sorted({destination.region for destination in settings.destinations.values()})
    if not regions or ours in regions:
        return []
    warning = f"calls.default_region: is {ours}, and the region of every destination is another ({', '.join(regions)})"
    return [f"{warning}; a number without + is read as one of {ours} first"]


def _routes(settings: Settings) -> list[str]:
    if not settings.routes:
        return ["routes: there is none, so every call is kept as unrouted"]
    named = {name for route in settings.routes for name in route.to}
    found = [f"destinations.{name}: no route leads to it" for name in settings.destinations if name not in named]
    for index, route in enumerate(settings.routes):
        odd = (route.results or frozenset()) - KNOWN_RESULTS
        found += [f"routes[{index}].results: {word!r} is none of Delacon's results" for word in sorted(odd)]
    return found


def _open_routes(settings: Settings, withdraws: Callable[[Destination], bool]) -> list[str]:
    if all(route.service_ids is None for route in settings.routes):
        return []
    return [
        f"routes[{index}]: has no service_ids, while other routes part the services: a caller whom one service missed "
        f"and another answered is not called back by destinations.{name}; give it service_ids, or set "
        "cancel_scope = 'service' there"
        for index, route in enumerate(settings.routes)
        if route.service_ids is None
        for name in route.to
        if withdraws(settings.destinations[name])
    ]


def _lists(list_ages: Mapping[str, float]) -> list[str]:
    return [
        f"destinations.{name}.do_not_call: {age_s / 86_400:.0f} days are more than the 31 that the rules of the United "
        "States allow a list to be old, and the 30 of Australia's"
        for name, age_s in list_ages.items()
        if age_s > MOST_LIST_S
    ]


def _urls(settings: Settings) -> list[str]:
    return [
        f"destinations.{name}: url has no path, and calls are posted to it as it stands; "
        "write the whole address that the vendor gave"
        for name, destination in settings.destinations.items()
        if settings.specs[destination.vendor].posts_to_url and not urlsplit(destination.url).path.strip("/")
    ]


def _sends_answered(route: Route, name: str) -> bool:
    return name in route.to and (route.results is None or not route.results <= MISSED)

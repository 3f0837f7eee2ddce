"""A flood of posts for one call, from a process of its own."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

import aiohttp

LARGE = 60_000  # bytes
LANES = 16


def _start(number: int) -> Mapping[str, str]:
    return {"PLA_CID": "123", "PLA_CallStartTime": "1772452800000", "PLA_Keywords_Searched": f"{number} " + "k" * LARGE}


def _end(number: int) -> Mapping[str, str]:
    return {"PLA_CallResult": "Answered", "PLA_Duration": str(number), "PLA_RecordingFile": "r" * LARGE}


def _unknown_key(number: int) -> Mapping[str, str]:
    end = {"PLA_CallResult": "Answered", "PLA_Duration": str(number)}
    return end if number < 200 else {"PLA_CallResult": "Answered", f"key{number}": "v" * 15_000}


def _nested(number: int) -> Mapping[str, Any]:
    nested: list[Any] = [str(number)]
    for _ in range(300):
        nested = [nested]
    return {"PLA_Duration": str(number), "nested": nested, **{f"k{i}": "v" for i in range(100)}}


def _mixed(number: int) -> Mapping[str, Any]:
    return (_start, _end, _unknown_key)[number % 3](number)


KINDS: Mapping[str, Callable[[int], Mapping[str, Any]]] = {
    "starts": _start, "ends": _end, "unknown keys": _unknown_key, "nested": _nested, "mixed": _mixed,
}  # fmt: skip


def flood(url: str, call_id: str, kind: str, count: int, lanes: int = LANES) -> list[int]:  # noqa: PLR0917  crosses a process
    """Post a flood to a webhook's URL, token included, so many posts at a time; return the statuses."""
    bodies = [json.dumps({"PLA_Call_Id": call_id, **KINDS[kind](number)}).encode() for number in range(count)]

    async def run() -> list[int]:
        statuses: list[int] = []
        async with aiohttp.ClientSession() as session:

            async def lane(first: int) -> None:
                for body in bodies[first::lanes]:
                    async with session.post(url, data=body) as reply:
                        statuses.append(reply.status)

            await asyncio.gather(*map(lane, range(lanes)))
        return statuses

    return asyncio.run(run())


@contextmanager
def flooder() -> Iterator[ProcessPoolExecutor]:
    """Start the process, so that it shares no interpreter with who measures."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(len, "").result()
        yield pool

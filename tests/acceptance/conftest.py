"""Fixtures of the tests that run real processes."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.stack import Stack


@pytest.fixture
def make_stack(tmp_path: Path, redis_url: str, standins_process: str) -> Iterator[Callable[..., Stack]]:
    """Give a maker of a stack that is stopped when the test ends."""
    made: list[Stack] = []

    def make(**options: Any) -> Stack:
        stack = Stack(tmp_path, **{"redis_url": redis_url, "standins_url": standins_process, **options})
        made.append(stack)
        return stack

    yield make
    for stack in made:
        stack.stop()

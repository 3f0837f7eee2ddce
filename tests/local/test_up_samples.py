"""What the sample calls are expected to come to fits the sample and the bundled configuration."""

import tomllib

import aiohttp
import pytest
from aiohttp import web

from deploy.local.environment import BUNDLED
from deploy.local.processes import StackFault
from deploy.local.samples import Player, read_expected, read_samples

NOW_MS = 1_772_452_800_000
WRONG = {"second-firm", "callbacks"}


def test_every_sample_call_has_its_expected_outcome() -> None:
    """The file of outcomes names the calls of the sample and no others, in their order."""
    assert list(dict.fromkeys(webhook.call_id for webhook in read_samples(now_ms=NOW_MS))) == list(read_expected())


def test_outcomes_name_destinations_of_the_bundled_configuration() -> None:
    """Every destination gets some of the sample, but for the two that are set up wrongly."""
    destinations = set(tomllib.loads(BUNDLED.read_text(encoding="utf-8"))["destinations"])

    assert destinations == {name for outcomes in read_expected().values() for name in outcomes} | WRONG


def test_withheld_callers_are_expected_to_be_skipped() -> None:
    """With the reason, and nobody else is."""
    skipped = {call_id for call_id, outcomes in read_expected().items() if "skipped: no_caller" in outcomes.values()}

    assert skipped == {call_id for call_id in read_expected() if "withheld" in call_id}


class Receiver:
    """Answers webhooks as scripted, then takes them all; ``taken`` are their paths."""

    def __init__(self, *answers: tuple[int, str]) -> None:
        self._answers = list(answers)
        self.taken: list[str] = []

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one."""
        status, error = self._answers.pop(0) if self._answers else (200, "")
        if not error:
            self.taken.append(request.path)
        success = "false" if error else "true"
        return web.json_response({"PLA_Call_Id": "", "success": success, "error": error}, status=status)


async def play(receiver: Receiver, *, leave_out: set[str]) -> int:
    """Play the samples to a receiver; return how often something had to be mended."""
    mended: list[bool] = []
    runner = web.ServerRunner(web.Server(receiver))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            player = Player(url=url, token="a-token", session=session, mend=lambda: mended.append(True))
            await player.play(read_samples(now_ms=NOW_MS), leave_out=leave_out)
    finally:
        await runner.cleanup()
    return len(mended)


async def test_calls_that_were_kept_are_left_out() -> None:
    """Only the document's own call is sent, its start before its end."""
    receiver = Receiver()
    await play(receiver, leave_out=set(read_expected()) - {"1122334"})

    assert ["/services/calldata/create", "/services/calldata/update"] == receiver.taken


async def test_a_receiver_that_cannot_take_it_now_is_asked_again() -> None:
    """The stack is mended in between, and no call is passed over."""
    receiver = Receiver((503, "Redis cannot take it"))
    mended = await play(receiver, leave_out=set(read_expected()) - {"1122334"})

    assert 1 == mended
    assert 2 == len(receiver.taken)


async def test_a_refusal_ends_the_sample() -> None:
    """What the receiver calls wrong does not become right by sending it again."""
    with pytest.raises(StackFault, match="refuses 1122334: wrong token"):
        await play(Receiver((401, "wrong token")), leave_out=set())

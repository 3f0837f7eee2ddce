"""``switchboard send``: sends webhooks to a receiver, from a file or generated."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import IO
from urllib.parse import urlsplit

import aiohttp
import click

from deploy.cli.output import Failed, Misconfigured, emit, json_option, progress, say
from deploy.cli.startup import read_settings
from deploy.cli.values import Rate
from deploy.local.webhooks import BadWebhooks, Webhook, generate, read_file

AT_ONCE = 50  # requests under way: enough to fill a receiver's group commits
ANSWER_S = 30.0


@dataclass(slots=True)
class Sent:
    """The result of sending."""

    webhooks: int = 0
    acknowledged: int = 0
    call_ids: dict[str, None] = field(default_factory=dict)
    refusals: Counter[str] = field(default_factory=Counter)


@click.command
@click.argument("file", type=click.File("r", encoding="utf-8"), required=False)
@click.option("--count", type=click.IntRange(min=1), help="Generate this many calls.  [default: 1 without FILE]")
@click.option("--rate", type=Rate(), metavar="N/s", help="Calls a second; webhooks a second with FILE.")
@click.option("--url", help="The receiver.  [default: http://127.0.0.1:$PORT]")
@click.option("--port", envvar="PORT", type=int, default=8080, hidden=True)
@click.option(
    "--token",
    envvar="DELACON_TOKEN",
    help="One of its tokens.  [default: $DELACON_TOKEN, else the configuration's first, without --url]",
)
@json_option
def send(
    *, file: IO[str] | None, count: int | None, rate: float | None, url: str | None, port: int, token: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Send webhooks to a receiver: a file of them, or generated calls.

    A line of FILE is {"path": "create" | "update" | "either", "body": {...}} or {"path": ..., "raw": "..."};
    {{now_ms-90000}} in it becomes the time of 90 seconds ago. A file is sent one webhook after the other.
    Prints the ids of the calls. Status 1 when a webhook was not acknowledged.
    """
    if file is not None and count is not None:
        raise click.UsageError("Give FILE or --count, not both.")
    now_ms = time.time_ns() // 1_000_000
    groups: Iterable[Sequence[Webhook]]
    if file is not None:
        try:
            webhooks = read_file(file.read(), now_ms=now_ms)
        except BadWebhooks as error:
            raise Misconfigured(error.faults) from None
        groups, total, at_once = ([webhook] for webhook in webhooks), len(webhooks), 1
    else:
        total, at_once = count or 1, AT_ONCE
        groups = generate(total, now_ms=now_ms, rng=Random())
    base = _base(url or f"http://127.0.0.1:{port}")
    if url is None and not token:
        token = _configured_token()
    began = time.monotonic()
    with progress(total, "sending") as advance:
        sender = Sender(base=base, token=token, rate=rate, at_once=at_once, advance=advance)
        sent = asyncio.run(sender.send(groups))
    seconds = round(time.monotonic() - began, 3)
    if as_json:
        refusals = [{"error": error, "count": times} for error, times in sent.refusals.most_common()]
        emit(
            {
                "webhooks": sent.webhooks, "acknowledged": sent.acknowledged, "seconds": seconds,
                "refusals": refusals, "call_ids": list(sent.call_ids),
            }
        )  # fmt: skip
    else:
        for call_id in sent.call_ids:
            click.echo(call_id)
        say(f"{sent.acknowledged} of {sent.webhooks} webhooks acknowledged in {seconds} s")
    if sent.refusals:
        raise Failed("\n".join(f"{times} not acknowledged: {error}" for error, times in sent.refusals.most_common()))


def _configured_token() -> str | None:
    """Return the first token of this machine's receiver; none where there is no configuration that can be read."""
    try:
        _, settings = read_settings()
    except Misconfigured:
        return None
    return next(iter(settings.receiver.posting_tokens), None)


def _base(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise click.BadParameter("must be an address such as https://calls.example.com", param_hint="--url")
    return url.rstrip("/").removesuffix("/services/calldata")


@dataclass(slots=True, kw_only=True)
class Sender:
    """Sends groups of webhooks side by side, those of a group one after the other."""

    base: str
    token: str | None = field(repr=False)
    rate: float | None
    at_once: int
    advance: Callable[[int], None]
    sent: Sent = field(default_factory=Sent)

    async def send(self, groups: Iterable[Sequence[Webhook]]) -> Sent:
        """Send them all."""
        # In the header, not in the URL: proxies log URLs.
        auth = {"Authorization": aiohttp.encode_basic_auth("delacon", self.token)} if self.token else {}
        slots, began = asyncio.Semaphore(self.at_once), time.monotonic()
        timeout = aiohttp.ClientTimeout(total=ANSWER_S)
        async with aiohttp.ClientSession(headers=auth, timeout=timeout) as session, asyncio.TaskGroup() as tasks:
            for place, group in enumerate(groups):
                if self.rate is not None:
                    await asyncio.sleep(max(0.0, began + place / self.rate - time.monotonic()))
                await slots.acquire()
                task = tasks.create_task(self._send_group(session, group))
                task.add_done_callback(lambda _: slots.release())
        return self.sent

    async def _send_group(self, session: aiohttp.ClientSession, group: Sequence[Webhook]) -> None:
        for webhook in group:
            error = await self._post(session, webhook)
            self.sent.webhooks += 1
            if error:
                self.sent.refusals[error] += 1
            else:
                self.sent.acknowledged += 1
                self.sent.call_ids[webhook.call_id] = None
        self.advance(1)

    async def _post(self, session: aiohttp.ClientSession, webhook: Webhook) -> str:
        """Post one webhook; return why it was not acknowledged, nothing when it was."""
        url, headers = self.base + webhook.path, {"Content-Type": "application/json"}
        try:
            async with session.post(url, data=webhook.body, headers=headers, allow_redirects=False) as reply:
                answer = await reply.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return f"no answer ({type(error).__name__})"
        if isinstance(answer, dict) and answer.get("success") == "true":
            return ""
        said = answer.get("error", "") if isinstance(answer, dict) else ""
        return f"{reply.status} {said}".strip()

"""``switchboard ledger``: information, checks, migrations, backup and restore."""

import os
import secrets
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import Any

import click

from deploy.cli.output import Failed, Misconfigured, as_option, counted, emit, json_option, progress, say, shown
from deploy.cli.session import Session, with_ledger
from worker.build import LEDGER_FORMAT, code_version
from worker.ledger import migrate as migrations
from worker.ledger.archive import ArchiveReader, ArchiveWriter, BadArchiveError, Header
from worker.ledger.audit import note as audit
from worker.ledger.backup import UNCOUNTED, UNKNOWABLE, back_up, is_empty, put_back
from worker.ledger.invariants import FAULTS, check
from worker.ledger.keys import SHELF_KEY
from worker.ledger.schema import at_time, begin, changed_in_words, note, read_schema

SHOWN = 50  # faults on a terminal; --json lists the first thousand
LEAST_PASSPHRASE = 12  # characters

_passphrase_option = click.option(
    "--passphrase-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
    help=f"Encrypt with the first line of this file, {LEAST_PASSPHRASE} characters or more.",
)  # fmt: skip


@click.group
def ledger() -> None:
    """Look at the ledger as a whole: check it, migrate it, back it up and restore it."""


@ledger.command
@json_option
def info(*, as_json: bool) -> None:
    """Show the ledger's format, epoch and size, and what happened to it."""

    async def work(session: Session) -> dict[str, Any]:
        schema = await read_schema(session.ledger.redis)
        overview = await session.ledger.overview()
        memory: Any = await _memory_of(session)
        return {
            "format": schema.format, "writes": LEDGER_FORMAT, "version": code_version(), "fault": schema.fault or None,
            "epoch": schema.epoch or None, "since": at_time(schema.since_ms), "calls": overview.calls,
            "bytes": memory, "set_aside": await session.ledger.redis.zcard(SHELF_KEY),
            "migrations": [{"to": one.TO, "title": one.TITLE} for one in migrations.ahead(schema.format)],
            "migrating": schema.migrating or None, "restored": schema.restored, "changed": schema.changed,
        }  # fmt: skip

    found = with_ledger(work, any_format=True)
    if as_json:
        emit(found)
        return
    click.echo(f"format {found['format']} (this version writes {LEDGER_FORMAT}), epoch {found['epoch'] or 'none yet'}")
    size = "" if found["bytes"] is None else f", {found['bytes'] / 2**20:.1f} MB of Redis"
    click.echo(f"{counted(found['calls'], 'call')}{size}; {counted(found['set_aside'], 'record')} set aside")
    for one in found["migrations"]:
        say(f"Migration to format {one['to']}: {one['title']}. Run switchboard ledger migrate.")
    if found["changed"]:
        say(changed_in_words(found["changed"]))
    if found["restored"]:
        say(f"Restored from a backup of {at_time(found['restored']['taken_ms'])}.")
    if found["fault"]:
        say(shown(found["fault"]))


@ledger.command("check")
@click.option("--fix", is_flag=True, help="Mend what can be mended.")
@as_option
@json_option
def check_ledger(*, fix: bool, as_json: bool) -> None:
    """Look at every call and delivery, and at every place where one waits.

    Nothing may wait where nobody looks, and nothing may stand for what is not there. Runs in slices beside receivers
    and workers. A record that this version cannot read is set aside and shown; it is no fault. Status 1 when something
    is wrong that --fix has not mended.
    """

    async def work(session: Session) -> dict[str, Any]:
        total = (await session.ledger.overview()).calls
        with progress(total, "checking") as advance:
            checked = await check(session.ledger, fix=fix, memory_s=session.settings.calls.remember_s, advance=advance)
        changed = (await read_schema(session.ledger.redis)).changed
        if fix:
            await note(session.ledger, changed=None)
            if checked.fixed or changed:
                await audit(session.ledger, session.does("ledger.check"), count=max(1, checked.fixed))
        return {
            "calls": checked.calls, "wrong": checked.wrong, "fixed": checked.fixed,
            "set_aside": checked.counts["set_aside"], "counts": dict(checked.counts),
            "faults": [asdict(fault) for fault in checked.faults], "changed": changed,
        }  # fmt: skip

    found = with_ledger(work)
    if as_json:
        emit(found)
    else:
        for fault in found["faults"][:SHOWN]:
            mended = "; mended" if fault["fixed"] else ""
            click.echo(shown(f"{fault['key']} {FAULTS[fault['fault']]}{mended}"))
        if len(found["faults"]) > SHOWN:
            say(f"... and {sum(found['counts'].values()) - SHOWN} more; --json lists the first thousand.")
        click.echo(
            f"{counted(found['calls'], 'call')} checked: {counted(found['wrong'], 'fault')}, {found['fixed']} mended, "
            f"{counted(found['set_aside'], 'record')} set aside"
        )
        if found["changed"]:
            say(changed_in_words(found["changed"]))
    if found["wrong"] > found["fixed"]:
        raise SystemExit(1)


@ledger.command("migrate")
@click.option("--apply", is_flag=True, help="Do it; without this, say what there is to do.")
@as_option
@json_option
def migrate(*, apply: bool, as_json: bool) -> None:
    """Bring the ledger to the format that this version writes.

    Works in slices while receivers and workers run, those of the version before too. May be cut at any point and run
    again. Run switchboard ledger check afterwards.
    """

    async def work(session: Session) -> dict[str, Any]:
        schema = await read_schema(session.ledger.redis)
        total = (await session.ledger.overview()).calls
        with progress(total, "migrating") as advance:
            if apply:
                await begin(session.ledger)
                steps = await migrations.apply(session.ledger, session.settings, advance=advance)
                if steps:
                    which = f"to {steps[-1].to}"
                    await audit(
                        session.ledger, session.does("ledger.migrate", which), count=max(1, sum(s.old for s in steps))
                    )
            else:
                steps = await migrations.plan(session.ledger, session.settings, advance=advance)
        after = (await read_schema(session.ledger.redis)).format
        return {"from": schema.format, "format": after, "applied": apply, "steps": [asdict(step) for step in steps]}

    found = with_ledger(work)
    if as_json:
        emit(found)
    else:
        for step in found["steps"]:
            done = f"changed, {step['left']} left" if apply else "to change"
            looked = f"{counted(step['calls'], 'call')} looked at"
            click.echo(f"to format {step['to']}: {step['title']}: {looked}, {step['old']} {done}")
        if not found["steps"]:
            click.echo(f"The ledger has format {found['format']}; there is nothing to do.")
        elif apply:
            click.echo(f"The ledger has format {found['format']}. Now run switchboard ledger check.")
    if apply and found["format"] < LEDGER_FORMAT:
        raise Failed("Something stood under way meanwhile: run it again in a minute.")


@ledger.command
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_passphrase_option
@as_option
@json_option
def backup(*, file: Path, passphrase_file: Path | None, as_json: bool) -> None:
    """Write all of the ledger to FILE while everything runs.

    Each call is whole as at one moment. The file is compressed and checksummed, and readable by its owner alone; it
    takes its name when it is whole. It holds phone numbers: encrypt it, or keep it as Redis is kept.
    """
    passphrase = _passphrase(passphrase_file)

    async def work(session: Session) -> dict[str, Any]:
        _, schema = await begin(session.ledger)
        now_ms = await session.ledger.now_ms()
        header = Header(format=schema.format, epoch=schema.epoch, taken_ms=now_ms, version=code_version())
        began = monotonic()
        try:
            writer = ArchiveWriter(file, header, passphrase=passphrase)
            with writer, progress((await session.ledger.overview()).calls, "backing up") as advance:
                calls = await back_up(session.ledger, writer, advance=advance)
        except OSError as error:
            raise Failed(f"{file} cannot be written: {error.strerror}.") from None
        await audit(session.ledger, session.does("ledger.backup", file.name), count=1)
        return {
            "file": str(file), "calls": calls, "bytes": writer.size, "encrypted": passphrase is not None,
            "seconds": round(monotonic() - began, 3), "taken": at_time(now_ms),
        }  # fmt: skip

    found = with_ledger(work)
    if as_json:
        emit(found)
    else:
        click.echo(
            f"{counted(found['calls'], 'call')} in {found['bytes'] / 2**20:.1f} MB, {found['seconds']:.1f} s: {file}"
        )


@ledger.command
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_passphrase_option
@click.option("--merge", is_flag=True, help="Into a ledger that has taken calls since; what it has stays as it is.")
@as_option
@json_option
def restore(*, file: Path, passphrase_file: Path | None, merge: bool, as_json: bool) -> None:
    """Put a backup back into an empty Redis, of any version and make from Redis 6.2.

    The whole file is checked first. Stop the workers, or what is due is delivered while it comes in. Then take what
    came after the backup: switchboard import --journal.
    """
    passphrase = _passphrase(passphrase_file)

    async def work(session: Session) -> dict[str, Any]:
        ledger_ = session.ledger
        schema = await read_schema(ledger_.redis)
        if not merge and not schema.restoring and not await is_empty(ledger_):
            raise Failed("This Redis holds a ledger already; --merge adds to it what it lacks.")
        header = _verified(file, passphrase)
        if abs(header.format - LEDGER_FORMAT) > 1:
            raise Misconfigured(
                [f"{file}: a ledger of format {header.format}, and this version writes {LEDGER_FORMAT}"]
            )
        if not merge:
            await note(ledger_, restoring=1, format=header.format)
        with file.open("rb") as stream, progress(os.fstat(stream.fileno()).st_size, "restoring") as advance:
            reader = ArchiveReader(stream, passphrase)
            copied = await put_back(
                ledger_, reader, memory_s=session.settings.calls.remember_s, merging=merge, advance=advance
            )
        now_ms = await ledger_.now_ms()
        restored = {
            "taken_ms": header.taken_ms, "restored_ms": now_ms, "instead_of": [header.epoch, schema.epoch],
            "doubtful": copied.doubtful,
        }  # fmt: skip
        await note(
            ledger_, format=header.format, epoch=secrets.token_hex(8), since=now_ms, restored=restored, changed=None,
            restoring=None,
        )  # fmt: skip
        await audit(ledger_, session.does("ledger.restore", file.name), count=max(1, copied.calls))
        return {
            "calls": copied.calls, "kept": copied.kept, "other_keys": copied.others, "doubtful": copied.doubtful,
            "taken": at_time(header.taken_ms), "cannot_know": [*UNKNOWABLE, *([UNCOUNTED] if merge else [])],
        }  # fmt: skip

    found = with_ledger(work, any_format=True)
    if as_json:
        emit(found)
        return
    click.echo(
        f"{counted(found['calls'], 'call')} restored, as they were {found['taken']}; {found['kept']} were there already"
    )
    say("It cannot know:")
    for sentence in found["cannot_know"]:
        say(f"- {sentence}")
    if found["doubtful"]:
        say(f"{counted(found['doubtful'], 'open delivery', 'open deliveries')} may have been made since.")


def _verified(file: Path, passphrase: bytes | None) -> Header:
    """Read a backup to its end, so that a damaged one is refused before anything is restored."""
    try:
        with file.open("rb") as stream:
            reader = ArchiveReader(stream, passphrase)
            for _ in reader.blocks():
                pass
    except BadArchiveError as error:
        raise Failed(f"{file} cannot be restored: {error}.") from None
    except OSError as error:
        raise Failed(f"{file} cannot be read: {error.strerror}.") from None
    return reader.header


def _passphrase(path: Path | None) -> bytes | None:
    if path is None:
        return None
    line = path.read_bytes().split(b"\n", 1)[0].rstrip(b"\r")
    if len(line) < LEAST_PASSPHRASE:
        raise Misconfigured([f"{path}: its first line is the passphrase: at least {LEAST_PASSPHRASE} characters"])
    return line


async def _memory_of(session: Session) -> int | None:
    try:
        return int((await session.ledger.redis.info("memory"))["used_memory"])
    except Exception:  # noqa: BLE001  a user who may not ask; the rest is told all the same
        return None

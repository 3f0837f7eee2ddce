"""``calls list`` and ``deliveries list``: filters, order, pages, zones and width; with the index and without it."""

import pytest

from worker.ledger import queries, search
from worker.ledger.records import Verdict

OTHER = "+61491570157"


async def _fill(book):
    while not await search.is_filled(book.ledger):
        await search.fill(book.ledger, default_region="AU")


async def _calls(book):
    await book.call("a-1", PLA_Dealer_Name="Smith Law", PLA_CallStartTime="1772452800000")
    await book.call("a-2", caller=OTHER, PLA_CID="456", PLA_CallStartTime="1772452860000")
    await book.call(
        "m-1", result="Busy", caller="+61491570158", PLA_Dealer_Name="Smith Law", PLA_CallStartTime="1772452740000"
    )
    await book.call("w-1", result=None)
    await book.end("law", Verdict.RETRY, reason="timeout")
    await book.end("crm", Verdict.DELIVERED, effect="ok", reason="duplicate")
    await book.end("dialler", Verdict.SKIPPED, reason="too_old")


@pytest.fixture(params=["index", "scan"])
def filled(cli, request):
    """Return a command line over the calls above, once with the index whole and once before it is."""
    cli.fill(_calls)
    if request.param == "index":
        cli.fill(_fill)
    return cli


def _ids(cli, *options):
    return [line["call_id"] for line in cli.json("calls", "list", *options)]


def _keys(cli, *options):
    return sorted(line["key"] for line in cli.json("deliveries", "list", *options))


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ((), {"a-1", "a-2", "m-1", "w-1"}),
        (("--caller", "0491 570 156"), {"a-1", "w-1"}),
        (("--caller", "+61491570157"), {"a-2"}),
        (("--caller", "0157"), {"a-2"}),
        (("--caller", "570 156"), {"a-1", "w-1"}),
        (("--service", "456"), {"a-2"}),
        (("--service", "smith law"), {"a-1", "m-1"}),
        (("--service", "nobody"), set()),
        (("--destination", "dialler"), {"m-1"}),
        (("--state", "waiting"), {"w-1"}),
        (("--state", "ready"), {"a-1", "a-2", "m-1"}),
        (("--result", "busy"), {"m-1"}),
        (("--result", "none"), {"w-1"}),
        (("--reason", "too_old"), {"m-1"}),
        (("--reason", "timeout"), {"a-1", "a-2"}),
        (("--destination", "crm", "--reason", "timeout"), set()),
        (("--service", "123", "--result", "answered"), {"a-1"}),
        (("--since", "1h"), {"a-1", "a-2", "m-1", "w-1"}),
        (("--until", "1h"), set()),
    ],
)
def test_calls_are_listed_by_every_filter(filled, options, ids):
    """The same with the index and without."""
    assert ids == set(_ids(filled, *options))


@pytest.mark.parametrize(
    ("options", "keys"),
    [
        (("--destination", "law"), ["a-1:law:create", "a-2:law:create"]),
        (("--state", "retrying"), ["a-1:law:create", "a-2:law:create"]),
        (("--state", "delivered"), ["a-1:crm:create", "a-2:crm:create"]),
        (("--state", "skipped"), ["m-1:dialler:create"]),
        (("--state", "skipped", "--destination", "dialler"), ["m-1:dialler:create"]),
        (("--state", "cancelled"), []),
        (("--state", "dead"), []),
        (("--reason", "duplicate"), ["a-1:crm:create", "a-2:crm:create"]),
        (("--reason", "timeout"), ["a-1:law:create", "a-2:law:create"]),
        (("--caller", OTHER), ["a-2:crm:create", "a-2:law:create"]),
        (("--caller", OTHER, "--state", "retrying"), ["a-2:law:create"]),
        (("--service", "456", "--state", "delivered"), ["a-2:crm:create"]),
        (("--result", "busy"), ["m-1:dialler:create"]),
    ],
)
def test_deliveries_are_listed_by_every_filter(filled, options, keys):
    """The same with the index and without."""
    assert keys == _keys(filled, *options)


def test_orders(filled):
    """By receipt either way, or by a value of the call, absent ones last."""
    known = _ids(filled, "--state", "ready", "--sort", "oldest")
    assert known[::-1] == _ids(filled, "--state", "ready")
    assert ["m-1", "a-1", "a-2"] == _ids(filled, "--state", "ready", "--sort", "started_at")
    assert ["a-2", "a-1", "m-1"] == _ids(filled, "--state", "ready", "--sort", "-started_at")
    assert "w-1" == _ids(filled, "--sort", "result")[-1]
    filled.run("calls", "list", "--sort", "nothing", status=2)


def test_calls_stand_in_the_order_of_their_receipt(filled):
    """Also beside calls that nobody has planned yet, whichever of them came first."""

    async def later(book):
        await book.call("z-1", PLA_CallStartTime="1772452900000")

    filled.fill(later)

    assert ["z-1", "w-1", "m-1", "a-2", "a-1"] == _ids(filled)
    assert ["a-1", "a-2", "m-1", "w-1", "z-1"] == _ids(filled, "--sort", "oldest")


def test_pages_follow_one_another(filled):
    """Nothing twice and nothing left out, whatever the filter; a page of no length is wrong use."""
    for options in ((), ("--result", "answered"), ("--caller", "156"), ("--sort", "started_at")):
        whole = _ids(filled, *options)
        pages = [_ids(filled, *options, "--limit", "1", "--page", str(page)) for page in range(1, len(whole) + 2)]
        assert [*([one] for one in whole), []] == pages
    filled.run("calls", "list", "--json", "--page", "2", status=2)
    assert 2 == len(_keys(filled, "--limit", "2", "--page", "2"))


def test_too_many_for_a_sort_are_refused(filled, monkeypatch):
    """All that match are held for it; by receipt any number is listed."""
    monkeypatch.setattr("deploy.search.SORTED", 2)

    assert "narrow" in filled.run("calls", "list", "--sort", "duration", status=1).stderr
    assert 4 == len(_ids(filled, "--sort", "oldest"))


def test_times_are_shown_in_a_zone(filled):
    """Whole, with the offset, so that they can be given to --since; JSON stays UTC."""
    shown = filled.run("calls", "list", "--tz", "Australia/Sydney").stdout
    assert "2026-03-02T23:00:00+11:00" in shown
    assert "2026-03-02T12:00:00+00:00" in filled.run("calls", "list", TZ="UTC").stdout
    assert "2026-03-02T12:00:00.000Z" in [line["started_at"] for line in filled.json("calls", "list")]
    filled.run("calls", "list", "--tz", "Nowhere/Land", status=2)


def test_a_table_fits_80_columns_by_leaving_columns_out(cli):
    """No value is broken or cut, and it says what is left out."""
    long_id = "id-" + "x" * 60
    cli.fill(lambda book: book.call(long_id, PLA_Dealer_Name="A firm with quite a long name & Partners"))
    cli.fill(lambda book: book.call("short"))

    calls, deliveries = cli.run("calls", "list"), cli.run("deliveries", "list")

    assert all(len(line.rstrip()) <= 80 for line in calls.stdout.splitlines())
    assert long_id in calls.stdout
    assert "Left out for want of room" in calls.stderr
    assert f"{long_id}:law:create" in deliveries.stdout
    assert all(len(line.rstrip()) <= 80 for line in deliveries.stdout.splitlines())
    assert "deliveries" not in calls.stdout.splitlines()[0].split()


def test_with_the_index_few_calls_are_looked_at(cli, monkeypatch):
    """A search for one service among many does not load the others."""

    async def many(book):
        for number in range(300):
            await book.call(f"a-{number}", PLA_CID="rare" if number == 7 else "101")

    cli.fill(many)
    cli.fill(_fill)
    looked: list[str] = []
    whole = queries.call_ids

    def counting(*args, **options):
        looked.append("scan")
        return whole(*args, **options)

    monkeypatch.setattr(queries, "call_ids", counting)

    assert ["a-7"] == _ids(cli, "--service", "rare")
    assert [] == looked

"""What an operator sees of the ledger: it is listed newest first, in pages, and nothing changes."""

from schemas.delivery import State
from tests.ledgers import NOON, key_of
from worker.ledger import admin, queries


async def _all(pages):
    return [one async for page in pages for one in page]


async def _dead_keys(driver, *destinations, **times):
    return [str(letter.key) async for letter in queries.dead_letters(driver.ledger, destinations, **times)]


async def _three_dead(driver):
    for call_id in ("a-1", "a-2", "a-3"):
        await driver.make(call_id)
        await driver.end(await driver.take_one(), "dead")
        driver.time.pass_s(10)


async def test_calls_are_given_newest_first_in_pages(driver):
    """More than a page of them, each once; times narrow the list, both ends included."""
    for number in range(queries.PAGE + 5):
        await driver.accept(f"a-{number}")
        driver.time.pass_s(1)

    found = await _all(queries.call_ids(driver.ledger))

    assert [f"a-{number}" for number in reversed(range(queries.PAGE + 5))] == found
    assert ["a-2", "a-1"] == await _all(queries.call_ids(driver.ledger, since_ms=NOON + 1000, until_ms=NOON + 2000))
    assert [] == await _all(queries.call_ids(driver.ledger, until_ms=NOON - 1))


async def test_dead_letters_of_destinations_and_of_calls(driver):
    """Newest first, with the moment, the reason and the record; unknown destinations have none."""
    await _three_dead(driver)
    await driver.accept("x:1")
    await driver.plan("x:1", state="x")

    assert ["a-3:crm:create", "a-2:crm:create", "a-1:crm:create"] == await _dead_keys(driver, "crm", "nobody")
    assert ["x:1:calls:start"] == await _dead_keys(driver, "calls")
    assert ["a-2:crm:create"] == await _dead_keys(driver, "crm", since_ms=NOON + 5000, until_ms=NOON + 15_000)
    [call] = [letter async for letter in queries.dead_letters(driver.ledger, ["calls"])]
    assert ("no_start", "", None) == (call.reason, call.words, call.record)


async def test_one_dead_letter_is_found_by_its_key(driver):
    """And nothing that is no dead letter."""
    await _three_dead(driver)
    await driver.make("a-4")
    await driver.accept("x-1")
    await driver.plan("x-1", state="x")
    dead = await queries.find_dead(driver.ledger, key_of("a-1"))

    assert dead
    assert ("dead", NOON + 1) == (dead.reason, dead.died_ms)
    assert dead.record
    assert State.DEAD is dead.record.state
    assert await queries.find_dead(driver.ledger, key_of("x-1", "start", destination="calls"))
    for key in (key_of("a-4"), key_of("nobody"), key_of("x-1", destination="calls"), key_of("a-1", "update-2")):
        assert None is await queries.find_dead(driver.ledger, key)


async def test_what_is_in_flight(driver):
    """The claimed ones, with the end of their lease."""
    await driver.make("a-1", "a-2")
    await driver.take_one()

    assert ["a-1"] == [record.key.call_id for record in await queries.in_flight(driver.ledger)]


async def test_calls_are_told_apart(driver):
    """Unrouted ones by their list, removed ones by their remembered id."""
    await driver.accept("a-1")
    await driver.plan("a-1", state="u")
    await driver.make("a-2")
    await admin.erase_calls(driver.ledger, ["a-2"], remember_s=60)

    assert ["a-1"] == await queries.unrouted(driver.ledger)
    assert [False, True, False] == [await queries.is_remembered(driver.ledger, name) for name in ("a-1", "a-2", "a-3")]
    assert [True, False] == [await queries.load_one(driver.ledger, name) is not None for name in ("a-1", "a-2")]
    assert {"crm"} == await queries.known_destinations(driver.ledger)


async def test_quarantined_bodies_come_back_to_the_byte(driver):
    """Newest first, whatever bytes they are."""
    bodies = [b"{\xff\x00\xfe", "{ż".encode()]
    for place, body in enumerate(bodies):
        await driver.ledger.quarantine(
            body, reason="not JSON", path_kind="either", received_us=(NOON + place) * 1000
        )  # fmt: skip
    driver.time.pass_s(1)
    found = [body async for body in queries.quarantined(driver.ledger)]

    assert bodies[::-1] == [body.body for body in found]
    assert (NOON * 1000, "not JSON", "either") == (found[1].received_us, found[1].reason, found[1].path_kind)
    assert [None, found[0]] == await queries.find_bodies(driver.ledger, ["nobody", found[0].body_id])
    assert [] == await queries.find_bodies(driver.ledger, [])


async def test_suppressed_numbers_are_listed_in_order(driver):
    """As E.164."""
    for number in ("+61491570157", "+61491570156"):
        await admin.suppress(driver.ledger, number)

    assert ["+61491570156", "+61491570157"] == await queries.suppressed(driver.ledger)


async def test_browsing_changes_nothing(driver):
    """Every key is as it was."""
    await _three_dead(driver)
    before = {key: await driver.redis.dump(key) for key in await driver.redis.keys("*")}

    await _all(queries.call_ids(driver.ledger))
    await _dead_keys(driver, "crm", "calls")
    await queries.in_flight(driver.ledger)

    assert before == {key: await driver.redis.dump(key) for key in await driver.redis.keys("*")}

"""What every vendor of the registry must do; ``data/NAME.json`` has a table and sample replies of each.

One suite: a vendor is held to all of it or to nothing.
"""

import json
from contextlib import suppress
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.delivery import Receipt
from tasks.vendors import registry
from tests.destinations import ScriptedHttp, make_destination, make_order, make_response
from worker.errors import Blocked, DeliveryError, Permanent, Skipped, Transient

DATA = Path(__file__).parents[1] / "data"
HTML = "<html><head><title>502 Bad Gateway</title></head><body>no success, not found</body></html>"


@pytest.fixture(params=registry.VENDORS)
def vendor(request):
    """Return each vendor in turn."""
    return registry.VENDORS[request.param]


@pytest.fixture
def samples(vendor):
    """Return the vendor's table and replies."""
    return json.loads((DATA / f"{vendor.spec.name}.json").read_text(encoding="utf-8"))


@pytest.fixture
def destination(vendor, samples):
    """Return a destination of the vendor."""
    return make_destination(vendor.spec, samples["table"])


@pytest.fixture
def order(destination, make_call):
    """Return the order of an ordinary call's first attempt."""
    return make_order(make_call(), destination)


@pytest.fixture
def error_of(vendor, order):
    """Return what a reply to the order raises."""

    def judge(body, status, **headers):
        with pytest.raises(DeliveryError) as caught:
            vendor.judge(order, make_response(body, status, **headers))
        return caught.value

    return judge


def test_an_empty_table_has_faults(vendor):
    """Every vendor needs something configured, and says so without failing otherwise."""
    assert vendor.spec.options().validate({})


def test_the_names_fit(vendor):
    """The registry key is the vendor's name; secrets and templates are options of its own."""
    own = set(vendor.spec.options().fields)

    assert registry.VENDORS[vendor.spec.name] is vendor
    assert own >= vendor.spec.secret_options | vendor.spec.template_options
    assert vendor.spec.required_fields <= vendor.spec.default_fields.keys() | vendor.spec.fixed_fields


def test_a_call_becomes_a_request_to_the_destination(vendor, order):
    """It posts JSON to the configured address; no value is empty; the mapped values are told."""
    prepared = vendor.prepare(order)
    body = orjson.loads(orjson.dumps(prepared.request.json))

    assert "POST" == prepared.request.method
    assert prepared.request.url.startswith(order.destination.url)
    assert body == prepared.request.json
    assert all(body.values())
    assert prepared.fields
    assert all(prepared.fields.values())


def test_the_same_call_gives_the_same_request(vendor, order):
    """A try after a lost answer says exactly what the first one said."""
    assert vendor.prepare(order) == vendor.prepare(order)


def test_no_secret_shows_in_what_may_be_logged(vendor, order):
    """Representations of orders and requests hold no key and no caller."""
    shown = repr(order) + repr(vendor.prepare(order)) + repr(order.destination)

    assert not [secret for secret in order.destination.secrets if secret in shown]
    assert order.call.caller_national not in shown
    assert order.call.caller_digits not in shown


def test_a_withheld_caller_is_skipped(vendor, destination, make_call):
    """No vendor takes a call without a number."""
    with pytest.raises(Skipped) as caught:
        vendor.prepare(make_order(make_call(caller=None), destination))

    assert "no_caller" == caught.value.reason


def test_the_configuration_may_drop_any_optional_field(vendor, samples, make_call):
    """With every optional field dropped, only what is required, or comes from the options, is sent."""
    optional = {*vendor.spec.default_fields, *vendor.spec.fixed_fields} - vendor.spec.required_fields
    destination = make_destination(vendor.spec, samples["table"], fields=dict.fromkeys(optional, ""))
    prepared = vendor.prepare(make_order(make_call(city="Perth"), destination))

    assert vendor.spec.required_fields <= prepared.request.json.keys()
    assert prepared.request.json.keys().isdisjoint(optional)


def test_a_required_text_that_is_empty_is_noted_and_left_to_the_vendor(vendor, samples, make_call):
    """Only a caller is a must of ours; what else is missing the vendor judges, and its words are kept."""
    for key in sorted(vendor.spec.required_fields):
        destination = make_destination(vendor.spec, samples["table"], fields={key: "{PLA_Nothing}"})
        order = make_order(make_call(), destination)
        notes, reason = (), ""
        try:
            notes = vendor.prepare(order).notes
        except Skipped as skipped:
            reason = skipped.reason

        told = f"{key} is empty for this call, and {vendor.spec.name} requires it"
        assert reason == "no_caller" or told in notes


@pytest.mark.parametrize("status", [200, 201, 202, 400, 404, 500, 503])
def test_yes_is_yes_whatever_the_status(vendor, order, samples, status):
    """The words decide before the status, in any letter case."""
    for body in samples["yes"]:
        assert not vendor.judge(order, make_response(body, status)).duplicate


@pytest.mark.parametrize("status", [200, 409, 500])
def test_a_duplicate_is_delivered(vendor, order, samples, status):
    """After a lost answer it is the sign that the first try landed."""
    for body in samples["duplicate"]:
        assert vendor.judge(order, make_response(body, status)).duplicate


async def test_an_attempt_posts_what_was_prepared_and_returns_the_receipt(vendor, order, samples):
    """One request, one verdict."""
    http = ScriptedHttp(make_response(samples["yes"][0]))
    prepared = vendor.prepare(order)
    receipt = await vendor.send(order, prepared=prepared, http=http)

    assert isinstance(receipt, Receipt)
    assert [prepared.request] == http.requests


@pytest.mark.parametrize("body", ["", HTML, "{}", "[]", "null", "17", '"ok"', "{", "\xff\xfe", "[" * 5000, '{"a": 1}'])
@pytest.mark.parametrize("status", [200, 204])
def test_a_lost_answer_is_tried_again_as_unknown(error_of, status, body):
    """2xx without a readable yes or no: the vendor may have it."""
    error = error_of(body, status)

    assert isinstance(error, Transient)
    assert (True, "exhausted", True) == (error.unknown, error.exhausted_as, error.counts)


@pytest.mark.parametrize("status", [200, 202])
def test_a_no_in_words_that_nobody_knows_is_tried_again_and_ends_as_unrecognised(error_of, samples, status):
    """It does not count towards the circuit, and the words are kept."""
    error = error_of(samples["no"], status)

    assert isinstance(error, Transient)
    assert ("unrecognised", "unrecognised", False) == (error.reason, error.exhausted_as, error.counts)
    assert "the moon is full" in error.detail


@pytest.mark.parametrize("body", ["", HTML, "{}", '{"message": "no"}'])
@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (408, "timeout"),
        (425, "too_early"),
        (429, "rate_limited"),
        *((code, "unavailable") for code in (500, 502, 503, 504, 599)),
    ],
)
def test_a_passing_failure_is_tried_again_and_the_wait_that_was_asked_for_is_kept(error_of, status, reason, body):
    """The Retry-After header travels as it stood: a date needs the present moment."""
    asked = "Wed, 21 Oct 2026 07:28:00 GMT"
    error = error_of(body, status, retry_after=asked)

    assert isinstance(error, Transient)
    assert (reason, asked, "exhausted", True) == (error.reason, error.retry_after, error.exhausted_as, error.counts)
    assert error.unknown is (status not in {425, 429})


@pytest.mark.parametrize("body", ["", HTML, "{}"])
@pytest.mark.parametrize(
    "expected",
    [(401, "unauthorized", False), (403, "forbidden", True), *((code, "redirected", True) for code in (301, 302, 307))],
)
def test_a_destination_that_refuses_us_is_blocked(error_of, expected, body):
    """401 at once; 403 and redirects only when a second delivery meets them; probes may open it."""
    status, reason, confirm = expected
    error = error_of(body, status, location="https://login.example.com")

    assert isinstance(error, Blocked)
    assert (reason, confirm, True, False) == (error.reason, error.confirm, error.probe, error.dead)


@pytest.mark.parametrize("status", [404, 409, 421, 423])
@pytest.mark.parametrize("body", ["", HTML, "{}", "[]", "null", '"Not Found"', '{"unheard": "of"}', "no such app"])
def test_a_refusal_without_words_that_a_deployment_gives_is_retried(error_of, status, body):
    """What stands before a vendor answers so while the vendor is away."""
    error = error_of(body, status, retry_after="120")

    assert isinstance(error, Transient)
    assert ("unavailable", "exhausted", True, "120") == (
        error.reason,
        error.exhausted_as,
        error.unknown,
        error.retry_after,
    )


@pytest.mark.parametrize("status", [404, 409, 421, 423])
def test_a_refusal_in_words_is_final_whatever_a_deployment_gives(error_of, samples, status):
    """The vendor itself said no."""
    error = error_of(samples["no"], status)

    assert isinstance(error, Permanent)
    assert "the moon is full" in error.detail


@pytest.mark.parametrize("status", [400, 402, 405, 410, 413, 415, 422, 431, 451])
def test_any_other_refusal_is_final_with_the_vendors_words_kept(error_of, samples, status):
    """By the status when no listed word decides; also when the reply says no in words that nobody knows."""
    for body in (HTML, samples["no"]):
        error = error_of(body, status)

        assert isinstance(error, Permanent)
        assert "rejected" == error.reason
        assert "the moon is full" in error.detail or "Bad Gateway" in error.detail


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 429, 500])
def test_secrets_are_blanked_in_the_words_that_are_kept(error_of, order, samples, status):
    """A reply that repeats our key, in JSON or not, is kept without it."""
    for secret in order.destination.secrets:
        said = json.loads(json.dumps(samples["no"]).replace("the moon is full", f"bad key {secret} of crm"))
        for body in (f"<p>bad key {secret} of crm</p>", said):
            error = error_of(body, status, location=f"https://x.example/?key={secret}")

            assert secret not in error.detail
            assert "[blanked]" in error.detail


_WORDS = ["success", "error", "saved", "test", "warning", "status", "message", "Customer Details", "contacts", "x"]
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_WORDS), inner, max_size=4),
    max_leaves=8,
)
_REPLIES = st.tuples(
    st.sampled_from([200, 204, 302, 400, 401, 403, 404, 429, 500]),
    st.binary(max_size=60) | _JSON,
    st.sampled_from(["create", "cancel", "update-2"]),
)


@pytest.fixture
def call(make_call):
    """Return an ordinary call."""
    return make_call()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(reply=_REPLIES)
def test_no_reply_breaks_the_judge(vendor, samples, call, reply):
    """Whatever the bytes, the verdict is a receipt or an error of the taxonomy."""
    status, body, action = reply
    order = make_order(call, make_destination(vendor.spec, samples["table"]), action=action)
    with suppress(DeliveryError):
        assert isinstance(vendor.judge(order, make_response(body, status)), Receipt)

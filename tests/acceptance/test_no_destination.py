"""A worker takes the deliveries of the destinations that it has, and leaves the others for workers that have them."""

from pathlib import Path

from tests.acceptance.looks import command, end
from tests.acceptance.stack import end_of, start_of


def test_a_worker_without_a_destination_leaves_its_deliveries_to_one_that_has_it(make_stack):
    """Held, ``no_destination``: nothing is attempted and nothing lost; a worker that has it delivers."""
    stack = make_stack(common='retry = ["1s", "1s", "1s"]')
    stack.lay_fault({"vendor": "kapture", "status": 503})
    stack.start()
    stack.post("create", start_of("orphan"))
    stack.post("update", end_of("orphan"))
    stack.wait_for(lambda: '"orphan:crm:create"' in stack.log("worker0"), 20, "the first attempt's end")
    end(stack, "worker0")
    stack.lift_faults()
    tried = stack.requests("kapture")

    whole = Path(stack.environ["SWITCHBOARD_CONFIG"])
    lacking = whole.with_name("lacking.toml")
    lacking.write_text(_without_crm(whole.read_text()))
    stack.environ["SWITCHBOARD_CONFIG"] = str(lacking)
    stack.start_worker("worker1")
    stack.post("create", start_of("other", "+61491570157"))
    stack.post("update", end_of("other"))
    stack.wait_for(lambda: len(stack.records("captorra")) == len(stack.records("comunik8")) == 2, 20, "four records")
    _, deliveries = command(stack, "deliveries", "list", "--destination", "crm")

    assert [("orphan:crm:create", "held", "no_destination")] == [
        (delivery["key"], delivery["state"], delivery["reason"]) for delivery in deliveries
    ]
    assert tried == stack.requests("kapture")
    end(stack, "worker1")

    stack.environ["SWITCHBOARD_CONFIG"] = str(whole)
    stack.start_worker("worker2")
    stack.wait_for(lambda: len(stack.records("kapture")) == 1, 20, "the delivery")
    assert tried + 1 == stack.requests("kapture")


def _without_crm(config: str) -> str:
    """Cut the table ``[destinations.crm]`` out, and its place in the route."""
    begin, end = config.index("[destinations.crm]"), config.index("[[routes]]")
    return config[:begin] + config[end:].replace(', "crm"]', "]")

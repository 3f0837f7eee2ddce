"""``switchboard suppress``: the list of numbers that no lead is made for."""


def test_numbers_are_kept_as_e164(cli):
    """However they are written; adding again changes nothing."""
    added = cli.json("suppress", "add", "0491 570 156")
    assert ("+61491570156", True) == (added["number"], added["changed"])
    assert not cli.json("suppress", "add", "+61491570156")["changed"]
    assert ["+61491570156"] == cli.json("suppress", "list")
    assert ["+61491570156"] == cli.json("suppress", "list", "0491570156")
    assert cli.fill(lambda book: book.ledger.is_suppressed("+61491570156"))


def test_removes(cli):
    """The number may be called again; one that is not on the list is status 1."""
    cli.run("suppress", "add", "0491570156")

    removed = cli.json("suppress", "remove", "0491570156")
    assert ("+61491570156", True) == (removed["number"], removed["changed"])
    cli.run("suppress", "remove", "0491570156", status=1)
    cli.run("suppress", "list", "0491570156", status=1)
    assert [] == cli.json("suppress", "list")
    assert "No number is suppressed.\n" == cli.run("suppress", "list").stderr


def test_what_is_no_number_is_wrong_use(cli):
    """Status 2."""
    cli.run("suppress", "add", "nobody", status=2)
    cli.run("calls", "list", "--caller", "nobody", status=2)

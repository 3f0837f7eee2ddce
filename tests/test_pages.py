"""The README and docs: small, joined by links that lead somewhere, and complete."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest

from deploy.cli.main import COMMANDS
from tests.pages import ROOT, anchors_of, broken_links, links_of, pages

README_BYTES = 12_288


def commands(command: click.Command, name: str) -> Iterator[str]:
    """Walk the commands that do something."""
    if isinstance(command, click.Group):
        for part, inner in command.commands.items():
            yield from commands(inner, f"{name} {part}")
    else:
        yield name


def test_the_readme_is_small() -> None:
    """A stranger reads the README to its end: it has at most 12 KB."""
    assert README_BYTES >= len((ROOT / "README.md").read_bytes())


@pytest.mark.parametrize("page", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    """Each relative link of a page names a file that is there, and each anchor a heading of it."""
    assert [] == broken_links(page)


def test_a_link_to_nothing_is_found(tmp_path: Path) -> None:
    """A missing file, and a heading that the page lacks, are broken links; what stands in code is no link."""
    page = tmp_path / "page.md"
    page.write_text("# A `b`, c!\n## Twice\n## Twice\n[x](#a-b-c) [y](#twice-1) [z](https://host/) `[no](link)`\n")
    wrong = tmp_path / "wrong.md"
    wrong.write_text("[a](page.md#twice) [b](gone.md) [c](page.md#thrice) [d](#none)\n```\n[e](code.md)\n```\n")

    assert {"a-b-c", "twice", "twice-1"} == anchors_of(page)
    assert [] == broken_links(page)
    assert ["gone.md", "page.md#thrice", "#none"] == broken_links(wrong)


def test_every_page_can_be_reached_from_the_readme() -> None:
    """Whoever follows links from the README comes to every page; a link to a folder leads to what is in it."""
    reached: set[Path] = set()
    ahead = {ROOT / "README.md"}
    while ahead:
        page = ahead.pop()
        reached.add(page)
        for link in links_of(page):
            target = (page.parent / link.partition("#")[0]).resolve()
            found = target.glob("*.md") if target.is_dir() else [target]
            ahead |= {path for path in found if path.suffix == ".md" and path.exists()} - reached

    assert set() == set(pages()) - reached


def test_every_command_is_documented() -> None:
    """docs/cli.md names each command of the command line."""
    text = (ROOT / "docs/cli.md").read_text()
    names: list[str] = []
    for name, (place, _) in COMMANDS.items():
        module, _, attribute = place.partition(":")
        names += commands(getattr(import_module(module), attribute), name)

    assert [] == [name for name in names if f"`switchboard {name}" not in text]

"""The layout of the repository and the lock files keep the rules that style.md and the contract give."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.covered import below, shares_of

ROOT = Path(__file__).parents[1]
ROOMS = {"schemas", "worker", "tasks", "receiver", "deploy"}
FOLDERS = ROOMS | {"tests", "docs", "findings"}
TOP = FOLDERS | {"pyproject.toml", "README.md", "Makefile", "Procfile", "LICENSE", "CHANGELOG.md", "requirements.txt"}
LONG, SHORT = 400, 40  # lines: a file beyond holds a second noun, one below is a helper of another
REASONS = {
    "deploy/cli/schema.py": "a command",
    "deploy/cli/startup.py": "what a command without a ledger needs, half the price of a session",
    "deploy/cli/spreadsheet.py": "the CSV of the report and of the export",
    "worker/imports.py": "comes before all other imports",
    "worker/ledger/keys.py": "the table of all keys",
    "tasks/delivery/spans.py": "the runner needs nothing of it where traces are off",
    "schemas/record.py": "used by every room",
    "tasks/vendors/registry.py": "the one line of each vendor",
    "worker/build.py": "read by every process",
    "worker/consumer.py": "workers alone load it",
    "worker/celery.py": "celery -A worker finds the app here",
    "worker/ledger/ledger.py": "every operation of the ledger, a script each",
    "worker/ledger/records.py": "every record that goes in or comes out, and how it is read",
    "worker/ledger/sender_mark.py": "the form that accept.lua and the receiver share",
}
"""Why a file of the product has less than 40 lines, or any file more than 400."""
MOST_SHORT = 12
MOST_FILES = 260
"""Of the product's Python, the packages' __init__ left out."""
NOT_NOUNS = {
    "util",
    "utils",
    "helper",
    "helpers",
    "common",
    "misc",
    "base",
    "core",
    "tools",
    "stuff",
    "things",
    "extra",
}
NOUNS = {"blanking", "listing", "masking", "mapping", "rendering", "sending", "wording", "suppressed"}
"""Names in -ing or -ed that are the noun of their subject."""
LOCKS = ("deploy/requirements.lock", "deploy/requirements-dev.lock")
ARTEFACTS_LOCK = "deploy/requirements-artefacts.lock"
SERVERS_LOCK = "deploy/requirements-servers.lock"
SETUP = (
    *LOCKS,
    ARTEFACTS_LOCK,
    SERVERS_LOCK,
    "requirements.txt",
    "pyproject.toml",
    "Makefile",
    "deploy/setup.sh",
    "deploy/Dockerfile",
    ".ci/run",
)
ENVIRONMENT = [  # contract, section 3
    *(
        "REDIS_URL",
        "REDIS_MIN_REPLICAS",
        "SWITCHBOARD_CONFIG",
        "HOST",
        "PORT",
        "SPOOL_PATH",
        "SPOOL_VOLATILE",
        "LOG_FORMAT",
        "LOG_LEVEL",
    ),
    *("CONSOLE_HOST", "CONSOLE_PORT", "METRICS_PORT", "METRICS_HOST", "FLOWER_BASIC_AUTH", "FLOWER_ADDRESS"),
    *("CONSOLE_URL", "FLOWER_URL"),
    *("JOURNAL_DIR", "SWITCHBOARD_ROLE"),
]


def tracked() -> list[Path]:
    """List the files that git knows, or is about to, relative to the root; without git, all but what tools make."""
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    if (ROOT / ".git").exists():
        names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
        return [Path(name) for name in names if name and (ROOT / name).is_file()]
    return [path.relative_to(ROOT) for room in ROOMS for path in (ROOT / room).rglob("*.*") if path.is_file()]


def sources(*suffixes: str) -> list[Path]:
    """List the tracked files with one of the suffixes."""
    return [path for path in tracked() if path.suffix in suffixes]


def read_lock(name: str) -> dict[str, tuple[Requirement, list[str]]]:
    """Return each locked package's requirement and hashes."""
    locked: dict[str, tuple[Requirement, list[str]]] = {}
    for entry in re.split(r"\n(?=\S)", (ROOT / name).read_text().strip()):
        head, *hashes = entry.replace("\\\n", " ").split("--hash=")
        requirement = Requirement(head)
        locked[canonicalize_name(requirement.name)] = (requirement, [text.strip() for text in hashes])
    return locked


def test_the_top_level_is_closed() -> None:
    """At the top stand the rooms, the tests, docs, findings, seven files and dotfiles, and nothing else."""
    tops = {path.parts[0] for path in tracked()}

    assert set() == {top for top in tops if not top.startswith(".")} - TOP


def test_no_file_is_long_or_short_without_a_reason() -> None:
    """A source file over 400 lines, or one of the product's modules under 40, stands in the list with its reason."""
    lengths = {path: len((ROOT / path).read_text().splitlines()) for path in sources(".py", ".lua", ".sh")}
    odd = {str(path) for path, lines in lengths.items() if lines > LONG or (lines < SHORT and is_module(path))}

    assert set() == odd - set(REASONS), "give it a reason in REASONS, or join it with what it belongs to"
    assert set() == set(REASONS) - odd


def test_the_product_has_few_files_and_each_has_a_noun(capsys: pytest.CaptureFixture[str]) -> None:
    """At most 12 of its files have less than 40 lines; none is named for what it does, or for nothing."""
    files = [path for path in sources(".py") if is_module(path)]
    short = [str(path) for path in files if len((ROOT / path).read_text().splitlines()) < SHORT]
    words = {path: path.stem.split("_")[-1] for path in files}
    nameless = [
        str(path)
        for path, word in words.items()
        if word in NOT_NOUNS
        or (path.parts[:2] != ("deploy", "cli") and word.endswith(("ing", "ed")) and word not in NOUNS)
    ]
    with capsys.disabled():
        print(f"\n{len(files)} files of the product, {len(short)} under {SHORT} lines, {len(nameless)} without a noun")

    assert [] == nameless
    assert len(short) <= MOST_SHORT
    assert len(files) <= MOST_FILES


def test_a_protocol_has_a_name_of_its_own() -> None:
    """No two protocols share a name, and none has the name of a class that fulfils it."""
    names = [
        (node.name, any("Protocol" in ast.unparse(base) and "asyncio" not in ast.unparse(base) for base in node.bases))
        for path in sources(".py")
        if path.parts[0] in ROOMS
        for node in ast.walk(ast.parse((ROOT / path).read_text()))
        if isinstance(node, ast.ClassDef)
    ]
    protocols = [name for name, is_protocol in names if is_protocol]
    classes = {name for name, is_protocol in names if not is_protocol}

    assert protocols
    assert [] == sorted(name for name in protocols if protocols.count(name) > 1 or name in classes)


@pytest.mark.parametrize("name", ["is_loopback", "MISSED", "SWITCH_S"])
def test_what_was_written_twice_stands_once(name: str) -> None:
    """A helper that two rooms need stands in the lower one."""
    found = [
        str(path)
        for path in sources(".py")
        if path.parts[0] in ROOMS
        and re.search(rf"^(?:def {name}\(|{name}\b.*=)", (ROOT / path).read_text(), re.MULTILINE)
    ]

    assert 1 == len(found)


@pytest.mark.parametrize("told", ["'blocked') or", "wait_for_create(id, dest, action)\n  local"])
def test_the_scripts_share_what_they_judge_by(told: str) -> None:
    """Why a destination is held, and how a delivery waits for its create, is written once, in the prelude."""
    scripts = [path for path in sources(".lua") if told in (ROOT / path).read_text()]

    assert ["worker/ledger/lua/prelude.lua"] == [str(path) for path in scripts]


def test_the_glossary_fits_a_page() -> None:
    """It has at most 30 terms, each once."""
    glossary = (ROOT / "docs/architecture.md").read_text().partition("## Glossary")[2]
    terms = re.findall(r"^\| ([^|]+?) \|", glossary, re.MULTILINE)[2:]

    assert 10 < len(terms) <= 30
    assert len(terms) == len(set(terms))


def test_the_architecture_page_names_what_there_is() -> None:
    """Each `file.py: name` of the page is a function, a class or a method of that file."""
    page = (ROOT / "docs/architecture.md").read_text()
    named = re.findall(r"`([\w/]+\.py): ([\w.]+)`", page)
    missing = [
        f"{path}: {name}"
        for path, name in named
        if not re.search(
            rf"^\s*(?:async def|def|class) {name.split('.')[-1]}\b", (ROOT / path).read_text(), re.MULTILINE
        )
    ]

    assert len(named) > 30
    assert [] == missing


def test_a_file_below_the_floor_of_coverage_is_told() -> None:
    """Make coverage fails for each of them, the lowest first."""
    shares = shares_of({"files": {"a.py": {"summary": {"percent_covered": 84.9}}}}) | {"b.py": 85.0, "c.py": 0.0}

    assert ["c.py is covered to 0.0 %, below 85 %", "a.py is covered to 84.9 %, below 85 %"] == below(shares)


def is_module(path: Path) -> bool:
    """Return whether a file is a module of the product that other code imports."""
    return path.suffix == ".py" and path.parts[0] in ROOMS and not path.name.startswith("__")


def test_every_init_is_one_line_of_docstring() -> None:
    """A package's __init__ holds a docstring of one line and nothing else, so every name is imported from one place."""
    inits = [path for path in sources(".py") if path.name == "__init__.py"]
    bad = []
    for path in inits:
        tree = ast.parse((ROOT / path).read_text())
        docstring = ast.get_docstring(tree) or ""
        if len(tree.body) != 1 or not docstring or "\n" in docstring:
            bad.append(str(path))

    assert inits
    assert [] == bad


def test_the_set_up_names_no_host() -> None:
    """What installs and checks the project names no package index, mirror or other host: the machine's own hold."""
    assert [] == [name for name in SETUP if "://" in (ROOT / name).read_text()]


@pytest.mark.parametrize("name", [*LOCKS, ARTEFACTS_LOCK, SERVERS_LOCK])
def test_every_locked_package_is_pinned_and_hashed(name: str) -> None:
    """A lock file holds exact versions with sha256 hashes, and no option or comment."""
    locked = read_lock(name)

    assert locked
    assert [] == [
        package
        for package, (requirement, hashes) in locked.items()
        if not re.fullmatch(r"==[^*,]+", str(requirement.specifier))
        or not hashes
        or not all(re.fullmatch(r"sha256:[0-9a-f]{64}", text) for text in hashes)
    ]


def test_the_lock_files_fit_the_project_and_each_other() -> None:
    """What pyproject.toml asks for is locked at a version it allows, and the tests' lock holds the product's whole."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    product, tests = (read_lock(name) for name in LOCKS)
    wanted = [*project["project"]["dependencies"], *extras["embedded"], *project["build-system"]["requires"]]

    assert [] == unmet(wanted, product)
    assert [] == unmet([*wanted, *extras["dev"]], tests)
    assert {} == {name: entry for name, entry in product.items() if tests.get(name) != entry}


def unmet(wanted: list[str], locked: dict[str, tuple[Requirement, list[str]]]) -> list[str]:
    """List the requirements that a lock file does not meet."""
    bad = []
    for text in wanted:
        requirement = Requirement(text)
        entry = locked.get(canonicalize_name(requirement.name))
        if entry is None or not requirement.specifier.contains(str(entry[0].specifier).removeprefix("==")):
            bad.append(text)
    return bad


def test_the_example_environment_names_every_variable() -> None:
    """deploy/env.example holds each variable of the contract, in use or commented out."""
    text = (ROOT / "deploy/env.example").read_text()

    assert [] == [name for name in ENVIRONMENT if not re.search(rf"^#?{name}=", text, re.MULTILINE)]


def test_every_process_of_the_procfile_is_known() -> None:
    """The Procfile names the processes of the contract, section 2."""
    lines = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())

    assert ["web", "worker", "console", "flower", "release"] == list(lines)
    assert lines["web"].endswith("python -m receiver")
    assert lines["worker"].startswith("celery -A worker worker")
    assert lines["console"] == "python -m deploy.console"
    assert lines["flower"].startswith("celery -A worker flower")
    assert lines["release"].endswith("switchboard check")


def test_a_test_is_not_kept_apart_for_the_name_of_its_file() -> None:
    """The conftest of one room is handed the tests of all: so hundreds of other rooms were once in no run of CI."""
    files = ["tests/acceptance/test_follow_up.py", "tests/worker/ledger/test_follow_up.py"]
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "-m", "load", *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"tests/acceptance/test_follow_up.py"} == {
        line.partition("::")[0] for line in done.stdout.splitlines() if "::" in line
    }

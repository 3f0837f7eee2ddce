#!/usr/bin/env bash
# PyPI celery==5.7.0 flower==2.0.1
# Guess: a worker process loads what a worker needs. Flower, which runs in a process of its own, costs it nothing by being
#        installed beside it, and the interactive shell of the command line nothing either.
# Seen:  every worker holds prompt_toolkit (of click-repl, which celery.bin.amqp imports) and, where flower is installed,
#        flower and tornado too: the command line of Celery imports all that is entered as "celery.commands". The same
#        worker started from Python (app.Worker) holds none of them: 31 MB instead of 48 (Python 3.11, Linux), a process.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check celery==5.7.0 flower==2.0.1
cat >"$work/app.py" <<'PY'
import sys

from celery import Celery
from celery.signals import worker_ready

app = Celery("app", broker="memory://")
app.conf.worker_redirect_stdouts = False


@worker_ready.connect
def say(sender, **_):
    pages = int(open("/proc/self/statm").read().split()[1]) if sys.platform == "linux" else 0
    print(*(name in sys.modules for name in ("prompt_toolkit", "tornado", "flower")), pages * 4 // 1024, flush=True)
    sender.stop()
PY
cd "$work"
by_command=$(timeout 60 venv/bin/celery -A app worker --pool solo 2>/dev/null | tail -n 1)
by_python=$(timeout 60 venv/bin/python -c 'from app import app; app.Worker(pool="solo", quiet=True).start()' 2>/dev/null | tail -n 1)
echo "celery -A app worker: prompt_toolkit, tornado, flower, MB: $by_command"
echo "app.Worker().start():  prompt_toolkit, tornado, flower, MB: $by_python"
[ "${by_command% *}" = "True True True" ]
[ "${by_python% *}" = "False False False" ]
[ "${by_command##* }" -ge "$((${by_python##* } + 8))" ] || [ "${by_python##* }" = 0 ]

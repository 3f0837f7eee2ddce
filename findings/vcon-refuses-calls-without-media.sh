#!/usr/bin/env bash
# vcon==0.3.10 (the Python library for the IETF's vCon, the container of a conversation)
# Guess: a missed call is a dialog of type "incomplete" with a disposition such as "no-answer", and the library, which
#        knows that type, calls it valid. The draft (draft-ietf-vcon-vcon-core, Dialog Object) says that an incomplete
#        or a transfer dialog has no content, hence no media type.
# Seen:  every dialog without a mimetype is invalid, so no missed call and no transfer passes is_valid(); with a media
#        type for media that cannot exist it passes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check vcon==0.3.10
"$work/venv/bin/python" -W ignore - <<'PY'
from importlib.metadata import version
from vcon import Vcon
from vcon.dialog import Dialog
from vcon.party import Party

print("vcon", version("vcon"))


def judged(**more):
    conversation = Vcon.build_new()
    conversation.add_party(Party(tel="+61491570156"))
    conversation.add_party(Party(tel="+61255500000"))
    conversation.add_dialog(Dialog(start="2026-11-25T14:03:00Z", parties=[0, 1], **more))
    return conversation.is_valid()


for disposition in ("no-answer", "busy", "congestion", "failed", "hung-up", "voicemail-no-message"):
    answer = judged(type="incomplete", disposition=disposition)
    print("incomplete,", disposition, answer)
    assert answer == (False, ["Dialog 0 has invalid mimetype: missing"])
assert judged(type="transfer")[0] is False
answer = judged(type="incomplete", disposition="no-answer", mimetype="audio/wav")
print("incomplete, no-answer, with a media type:", answer)
assert answer[0] is True
PY

#!/usr/bin/env bash
# phonenumbers==9.0.43 (libphonenumber's plan data)
# Guess: numbers that a regulator reserves for drama and examples lie in real ranges, so a validator calls them valid.
# Seen:  Australia's, North America's and most British ones are valid; Ofcom's mobile range 07700 900000-900999, its
#        01632 960000-960999 (no area) and Arcep's 06 39 98 are only possible. The two British ones belong to no region
#        at all (None, not GB), so code that looks up the region of a "valid-looking" sample gets nothing.
# Why it matters: tests written with the mobile number of the British list exercise the branch for doubtful numbers.
# Sources: ACMA "Phone numbers for use in TV shows, films and creative works"; Ofcom "Telephone numbers for use in TV
#        and radio drama programmes"; Arcep decision 2018-0881; NANPA 555-0100 to 555-0199.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check phonenumbers==9.0.43
"$work/venv/bin/python" - <<'PY'
import phonenumbers as p

print("phonenumbers", p.__version__)
expected = {
    "+61491570156": (True, "AU"),    # ACMA, mobile
    "+61255500000": (True, "AU"),    # ACMA, 02 5550
    "+12025550123": (True, "US"),    # NANPA 555-01xx
    "+18765550123": (True, "JM"),    # the same in a Caribbean area code
    "+442079460123": (True, "GB"),   # Ofcom, London 020 7946 0xxx
    "+443069990123": (True, "GB"),   # Ofcom, UK-wide
    "+447700900123": (False, None),  # Ofcom, mobile
    "+441632960123": (False, None),  # Ofcom, no area
    "+33639981234": (False, "FR"),   # Arcep, mobile
}
seen = {}
for text in expected:
    number = p.parse(text, None)
    assert p.is_possible_number(number), text
    seen[text] = (p.is_valid_number(number), p.region_code_for_number(number))
    print(f"{text:15} possible, valid={seen[text][0]}, region={seen[text][1]}")
raise SystemExit(seen != expected)
PY

#!/usr/bin/env bash
# defusedcsv==3.0.0 pandas==3.1.1 phonenumbers==9.0.43
# Guess: a writer that guards cells against formulas leaves what is plainly a number alone: -5 stays, so +61491570156 does.
# Seen:  -5 and -61 stay, and every number in international form gets an apostrophe, with blanks or without. A spreadsheet
#        shows that apostrophe, for it stands in the data; pandas reads it as part of the text, so a caller no longer
#        equals the same caller of another export, while phonenumbers passes over it and finds the number. The package's
#        own reader does not take it off again either.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check defusedcsv==3.0.0 pandas==3.1.1 phonenumbers==9.0.43
cd "$work"
venv/bin/python - <<'PY'
import io
from importlib.metadata import version

import pandas
import phonenumbers
from defusedcsv import csv

print(*(f"{name} {version(name)}" for name in ("defusedcsv", "pandas", "phonenumbers")))
cells = ["-5", "-61", "+61491570156", "+61 491 570 156", "+1 (415) 555-0100", "0491570156"]
text = io.StringIO()
writer = csv.writer(text)
writer.writerow(["caller"])
for cell in cells:
    writer.writerow([cell])
written = text.getvalue().splitlines()[1:]
read = [row[0] for row in csv.reader(io.StringIO(text.getvalue()))][1:]
column = pandas.read_csv(io.StringIO(text.getvalue()), dtype=str)["caller"].tolist()
print(*(f"{cell!r}: written {put!r}, read {got!r}" for cell, put, got in zip(cells, written, read)), sep="\n")
number = phonenumbers.parse(written[2], "AU")
print("phonenumbers finds", phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
assert written == [*cells[:2], *("'" + cell for cell in cells[2:5]), cells[5]], written
assert read == written == column, (read, column)
assert phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) == "+61491570156"
PY

#!/usr/bin/env bash
# pandas==3.1.1 polars==2.1.0 pyarrow==26.0.1; npm papaparse@5.7.1 csv-parse@7.0.3 xlsx@0.18.5; Python's csv module
# Guess: the cell ="1,122,334", which spreadsheet exports use to keep an id as text, is one cell to every reader,
#        read as its text or with its guard.
# Seen:  no reader agrees with another family. Python's csv and Papa Parse split it at its commas into three cells
#        without a word (a quote counts only at the start of a cell); pandas makes the surplus cells an index, so that
#        column "id" silently holds 122; polars and pyarrow refuse the file; csv-parse refuses every ="..." cell, also
#        one without commas; SheetJS takes the guard off ="0491570156" but empties ="1,122,334".
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check pandas==3.1.1 polars==2.1.0 pyarrow==26.0.1
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$work" papaparse@5.7.1 csv-parse@7.0.3 xlsx@0.18.5 >/dev/null
printf 'id,text,x\n1,="0491570156",a\n2,="0491570157",b\n' >"$work/plain.csv"
printf 'id,text,x\n1,="1,122,334",a\n2,="1,122,335",b\n' >"$work/grouped.csv"
cd "$work"
venv/bin/python - <<'PY'
import csv
import pandas, polars, pyarrow
import pyarrow.csv

print("pandas", pandas.__version__, "polars", polars.__version__, "pyarrow", pyarrow.__version__)
with open("grouped.csv", newline="") as file:
    cells = list(csv.reader(file))[1]
print("csv:", cells)
assert cells == ["1", '="1', "122", '334"', "a"]
frame = pandas.read_csv("grouped.csv")
print("pandas: id =", frame["id"].tolist(), "text =", frame["text"].tolist())
assert frame["id"].tolist() == [122, 122]
for name, read, refusal in (
    ("polars", polars.read_csv, polars.exceptions.ComputeError),
    ("pyarrow", pyarrow.csv.read_csv, pyarrow.ArrowInvalid),
):
    try:
        read("grouped.csv")
    except refusal as error:
        print(f"{name}: refused:", str(error).splitlines()[0])
    else:
        raise SystemExit(f"{name} reads the file now")
assert polars.read_csv("plain.csv")["text"].to_list()[0] == '="0491570156"'
PY
node - <<'JS'
const assert = require('assert'), fs = require('fs');
const Papa = require('papaparse'), { parse } = require('csv-parse/sync'), XLSX = require('xlsx');
const plain = fs.readFileSync('plain.csv', 'utf8'), grouped = fs.readFileSync('grouped.csv', 'utf8');
const papa = Papa.parse(grouped);
console.log('papaparse:', JSON.stringify(papa.data[1]), 'errors:', papa.errors.length);
assert.deepStrictEqual(papa.data[1], ['1', '="1', '122', '334"', 'a']);
assert.throws(() => parse(plain), /Invalid Opening Quote/);
console.log('csv-parse: refuses even the plain cell: Invalid Opening Quote');
const sheet = (text) => { const book = XLSX.read(text, { type: 'string' }); return XLSX.utils.sheet_to_json(book.Sheets[book.SheetNames[0]], { header: 1 })[1]; };
console.log('xlsx:', JSON.stringify(sheet(plain)), JSON.stringify(sheet(grouped)));
assert.strictEqual(sheet(plain)[1], '0491570156');
assert.ok(sheet(grouped)[1] == null);
JS

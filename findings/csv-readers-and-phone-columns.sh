#!/usr/bin/env bash
# pandas==3.1.1 polars==2.1.0 pyarrow==26.0.1; npm papaparse@5.7.1 xlsx@0.18.5
# Guess: a column of numbers such as +61412345678 stays text: the plus sign is no part of a CSV integer.
# Seen:  three answers. pandas makes integers and loses the plus, pyarrow makes doubles, SheetJS numbers; polars and
#        Papa Parse (with dynamicTyping, which does convert the id beside it) keep the text. And a column of twenty-digit
#        call ids is uint64 to pandas, Int128 to polars, and a double to pyarrow, where two neighbouring ids are equal.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check pandas==3.1.1 polars==2.1.0 pyarrow==26.0.1
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$work" papaparse@5.7.1 xlsx@0.18.5 >/dev/null
printf 'id,caller\n12345678901234567890,+61491570156\n12345678901234567891,+61491570157\n' >"$work/calls.csv"
cd "$work"
venv/bin/python - <<'PY'
import pandas, polars, pyarrow
import pyarrow.csv

print("pandas", pandas.__version__, "polars", polars.__version__, "pyarrow", pyarrow.__version__)
frame, table, columns = pandas.read_csv("calls.csv"), polars.read_csv("calls.csv"), pyarrow.csv.read_csv("calls.csv")
print("pandas:", frame.dtypes.to_dict(), frame["caller"].tolist())
print("polars:", dict(table.schema))
print("pyarrow:", columns.schema.types, columns["id"].to_pylist())
assert frame["caller"].tolist() == [61491570156, 61491570157]
assert str(frame["id"].dtype) == "uint64"
assert table["caller"].to_list()[0] == "+61491570156"
assert str(table.schema["id"]) == "Int128"
assert str(columns.schema.field("caller").type) == "double"
assert len(set(columns["id"].to_pylist())) == 1
PY
node - <<'JS'
const assert = require('assert'), fs = require('fs');
const Papa = require('papaparse'), XLSX = require('xlsx');
const text = fs.readFileSync('calls.csv', 'utf8').replace('12345678901234567890', '1122334');
const papa = Papa.parse(text, { dynamicTyping: true }).data[1];
console.log('papaparse:', JSON.stringify(papa));
assert.deepStrictEqual(papa, [1122334, '+61491570156']);
const book = XLSX.read(text, { type: 'string' });
const row = XLSX.utils.sheet_to_json(book.Sheets[book.SheetNames[0]], { header: 1 })[1];
console.log('xlsx:', JSON.stringify(row));
assert.deepStrictEqual(row, [1122334, 61491570156]);
JS

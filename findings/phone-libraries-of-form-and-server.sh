#!/usr/bin/env bash
# npm libphonenumber-js@1.13.16 google-libphonenumber@3.2.47; PyPI phonenumbers==9.0.43
# Guess: the three carry the same plan data, so a web form (libphonenumber-js) and its server (phonenumbers) agree on
#        what a typed number is.
# Seen:  they differ in what counts as writing, not in the plans. "1800 FLOWERS" in the US is +18003569377 and valid to
#        Google's code and its Python port; libphonenumber-js drops the letters and makes +11800 of it. A SIP address
#        with a number in it is a valid number to libphonenumber-js and an error to the other two. "4.91570110E8" is
#        +614915701108 to Google's and none to libphonenumber-js. And the French number reserved for drama is valid with
#        libphonenumber-js' default data ("min", which knows lengths and first digits), invalid with "max".
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check phonenumbers==9.0.43
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$work" libphonenumber-js@1.13.16 google-libphonenumber@3.2.47 >/dev/null
cd "$work"
cat >inputs.json <<'JSON'
[["1800 FLOWERS", "US"], ["sip:+61491570156@example.net", "AU"], ["4.91570110E8", "AU"], ["+33639981234", "AU"]]
JSON
node - >seen-js.txt <<'JS'
const inputs = require('./inputs.json');
const { parsePhoneNumberFromString: min } = require('libphonenumber-js');
const { parsePhoneNumberFromString: max } = require('libphonenumber-js/max');
const { PhoneNumberUtil, PhoneNumberFormat } = require('google-libphonenumber');
const util = PhoneNumberUtil.getInstance();
const small = (parse, text, region) => { const n = parse(text, region); return n ? `${n.number} ${n.isValid() ? 'valid' : 'invalid'}` : 'none'; };
for (const [text, region] of inputs) {
  let google = 'none';
  try { const n = util.parse(text, region); google = `${util.format(n, PhoneNumberFormat.E164)} ${util.isValidNumber(n) ? 'valid' : 'invalid'}`; } catch (error) { /* none */ }
  console.log(`${text} | min ${small(min, text, region)} | max ${small(max, text, region)} | google ${google}`);
}
JS
cat seen-js.txt
diff seen-js.txt - <<'SEEN'
1800 FLOWERS | min +11800 invalid | max +11800 invalid | google +18003569377 valid
sip:+61491570156@example.net | min +61491570156 valid | max +61491570156 valid | google none
4.91570110E8 | min none | max none | google +614915701108 invalid
+33639981234 | min +33639981234 valid | max +33639981234 invalid | google +33639981234 invalid
SEEN
venv/bin/python - <<'PY'
import json
import phonenumbers as p

print("phonenumbers", p.__version__)
seen = []
for text, region in json.load(open("inputs.json")):
    try:
        number = p.parse(text, region)
        seen.append(f"{p.format_number(number, p.PhoneNumberFormat.E164)} {'valid' if p.is_valid_number(number) else 'invalid'}")
    except p.NumberParseException:
        seen.append("none")
    print(text, "|", seen[-1])
assert seen == ["+18003569377 valid", "none", "+614915701108 invalid", "+33639981234 invalid"]
PY

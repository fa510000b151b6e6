"""Run inside a box, in the Python of workspaces: tables for SAS, Stata and SPSS come back but for what is said."""

import datetime
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, "/opt/kernel")
import formats
import pandas
import pyreadstat

FRAME = pandas.DataFrame(
    {
        "condition_concept_id": [1, 2**31, 2**53 + 1],
        "condition_concept_idx": [0.5, None, -1.25],
        "source value": ["a", None, "당뇨" * 200],
        "start": [datetime.date(2020, 2, 29), datetime.date(1999, 12, 31), None],
        "1st": [True, False, True],
    }
)
READ = {"xpt": pyreadstat.read_xport, "dta": pyreadstat.read_dta, "sav": pyreadstat.read_sav}

for form, read in READ.items():
    made = formats.export(FRAME, "condition_occurrence", form, tempfile.mkdtemp())
    back, _meta = read(made.path)
    names = list(made.names.values())
    assert [name.upper() for name in back.columns] == [name.upper() for name in names]
    assert len({name.upper() for name in names}) == 5
    assert all(len(name) <= formats.FORMS[form][1] for name in names)
    assert back.iloc[:2, 0].tolist() == [1, 2**31]
    assert back.iloc[:, 1].tolist()[::2] == [0.5, -1.25]
    assert back.isna().iloc[1, 1]
    assert back.iloc[0, 2] == "a"
    assert str(back.iloc[2, 2]).startswith("당뇨")
    assert str(back.iloc[0, 3])[:10] == "2020-02-29"
    assert back.iloc[:, 4].tolist() == [1, 0, 1]
    said = "\n".join(made.lost)
    assert "1 whole numbers above 2^53" in said
    assert "1 missing texts" in said
    assert ("were cut at 200 bytes" in said) == (form == "xpt")
    assert Path(made.program).read_text()
    assert "1st is now V1st" in repr(made)
names = formats.short_names(["condition_a", "condition_b", "CONDITIO", "이름", "", "1", "x y"], 8)
assert len({name.upper() for name in names.values()}) == len(names)
assert all(0 < len(name) <= 8 and name[0].isalpha() and name.isascii() for name in names.values())
refused = ""
try:
    formats.export(FRAME, "x", "xls")
except ValueError as error:
    refused = str(error)
assert "xpt, dta, sav" in refused
print("good", end="")

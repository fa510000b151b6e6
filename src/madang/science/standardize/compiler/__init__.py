"""The compiler: from the SELECTs of a pack to SQL that accounts for every row, before any data are read.

`text` holds one SQL file and says where things stand; `expressions` reads what an expression uses; `relations` reads
FROM and common table expressions and refuses what could lose or multiply rows; `outputs` checks the columns that come
out; `emit` writes the SQL that the runner executes. `compile_pack` in `..compile` puts them together.
"""

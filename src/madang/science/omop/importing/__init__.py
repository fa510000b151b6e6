"""A common data model that exists already, taken into the lake: nothing is changed in silence.

Tables come as CSV or Parquet files, from a DuckDB file or from PostgreSQL, in the shape of CDM 5.3 or 5.4. Every row
is kept or rejected with a reason, and every difference from the model 5.4 is told in the account of the version.
"""

from madang.science.omop.importing.fit import Difference, What
from madang.science.omop.importing.run import KIND, Imported, import_model

__all__ = ["KIND", "Difference", "Imported", "What", "import_model"]

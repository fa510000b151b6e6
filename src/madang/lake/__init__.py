"""Versioned tables: manifests over Parquet files with Delta logs for outside readers, and the engine (DuckDB).

Serves every storey above. docs/lake.md says what is promised and how the content hash is computed.
"""

from madang.lake.dataset import Dataset, Lake, Version
from madang.lake.engine import Engine, quote_name, quote_text
from madang.lake.manifest import DataFile, Table
from madang.lake.write import Writer

__all__ = ["DataFile", "Dataset", "Engine", "Lake", "Table", "Version", "Writer", "quote_name", "quote_text"]

"""Versioned tables: manifests over Parquet files with Delta logs for outside readers, and the engine (DuckDB).

Serves every storey above. docs/lake.md says what is promised and how the content hash is computed.
The names below are loaded at first use: who only needs `madang.lake.files` does not wait for an engine.
"""

from typing import TYPE_CHECKING

from madang.base.lazily import at_first_use

if TYPE_CHECKING:
    from madang.lake.dataset import Dataset, Lake, Version
    from madang.lake.engine import Engine, quote_name, quote_text
    from madang.lake.manifest import DataFile, Table
    from madang.lake.write import Writer

__all__ = ["DataFile", "Dataset", "Engine", "Lake", "Table", "Version", "Writer", "quote_name", "quote_text"]

__getattr__ = at_first_use(
    __name__,
    {
        "dataset": ("Dataset", "Lake", "Version"),
        "engine": ("Engine", "quote_name", "quote_text"),
        "manifest": ("DataFile", "Table"),
        "write": ("Writer",),
    },
)

"""The second engine: the same files and the same answers on Spark, for data that outgrow one machine.

A manifest names the files, and readers take those and never the newest in a folder. SQL is translated from a written
subset (`translate`); what is outside of it is refused with its place, never answered differently.
"""

from madang.lake.spark.asked import as_asked
from madang.lake.spark.engine import SparkEngine
from madang.lake.spark.script import Script
from madang.lake.spark.translate import to_spark

__all__ = ["Script", "SparkEngine", "as_asked", "to_spark"]

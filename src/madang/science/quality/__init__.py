"""The quality of a common data model: every check of OHDSI's DataQualityDashboard, answered in few passes."""

from madang.science.quality.assess import assess, assess_all
from madang.science.quality.checks import default_checks
from madang.science.quality.model import Assessment, Check, Level, Result, Severity, Status

__all__ = ["Assessment", "Check", "Level", "Result", "Severity", "Status", "assess", "assess_all", "default_checks"]

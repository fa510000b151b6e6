"""The quality of a common data model: every check of OHDSI's DataQualityDashboard, answered in few passes."""

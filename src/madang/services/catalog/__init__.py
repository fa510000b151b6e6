"""The catalog: records of datasets that people find, trust and cite; their life from draft to tombstone.

For researchers who look for data, stewards who answer for them, and whoever reads a citation years later. A record's
description is wide enough for DCAT-AP 3, HealthDCAT-AP and DataCite; a page carries schema.org JSON-LD.
"""

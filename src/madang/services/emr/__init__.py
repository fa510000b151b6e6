"""EMR conformance: vendors and hospitals hold records and endpoints against KR Core and hand in signed reports.

For those who build or run record systems, and for the body that assesses them. Follows HL7 FHIR R4 and KR Core 2.0.0.
What is made here is a conformance report, never a certificate.
"""

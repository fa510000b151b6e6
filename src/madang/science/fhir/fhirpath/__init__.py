"""FHIRPath (HL7, normative release 1 with what release 3 added) over parsed JSON, with the types of FHIR R4."""

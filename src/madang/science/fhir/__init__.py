"""FHIR R4 and its profiles: definitions, a validator, a synthetic endpoint, and the kit that tests one."""

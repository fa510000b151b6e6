"""EMR conformance: vendors and hospitals hold records and endpoints against KR Core and hand in signed reports.

For those who build or run record systems, and for the body that assesses them. Follows HL7 FHIR R4 and KR Core 2.0.0.
What is made here is a conformance report, never a certificate.
"""

from madang.base.translate import later
from madang.node.rooms import Command, JobKind, MenuItem, RoleKind, RoomPlan

PLAN = RoomPlan(
    name="emr",
    package=__package__,
    title=later("EMR conformance"),
    acts=(".acts",),
    states=(".acts:REPORT", ".acts:RUN", ".acts:CHALLENGE"),
    models=(".models",),
    pages=(".routes", ".run_routes", ".body_routes"),
    jobs=(
        JobKind("conformance.test", ".running:test_job", lane="long", failed=".running:test_ended"),
        JobKind("conformance.bring", ".bringing:bring_job", lane="long", failed=".bringing:bring_failed"),
    ),
    commands=(
        Command(
            "fhir", later("Validate FHIR resources, test a record system, serve a synthetic one."), ".commands:app"
        ),
    ),
    roles=(
        RoleKind(
            "conformance-assessor",
            later("Conformance assessor"),
            later("reads conformance reports that were handed in, and takes them as evidence or returns them"),
            "node",
        ),
    ),
    errors={
        "conformance.real_number": 422,
        "conformance.host": 422,
        "conformance.challenge": 422,
        "conformance.sign_in": 422,
    },
    folders={"emr": 0o700, "schemes": 0o755},
    menu=(MenuItem("trust", later("EMR conformance"), "/emr"),),
    card=".service:waiting",
    demo=".demo:make",
    docs="emr.md",
)

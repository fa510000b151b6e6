"""What those see who look after an installation: who did what, whether anything was changed, and how work goes on.

The audit is `madang.node.audit`, jobs are `madang.node.jobs`; this room has their pages.
"""

"""Who gets what at the doors of the room compute; see services/access_tables.py."""

from services.access_tables import Acts, Reads

READS: Reads = {}
ACTS: Acts = {}

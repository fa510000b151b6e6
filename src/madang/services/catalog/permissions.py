"""Who may do what with a record."""

from madang.node.permissions import allow, anyone, auditor, role, role_anywhere, signed_in, where

steward = role("steward")
is_public = where("state", "published", "withdrawn")  # of one withdrawn, the tombstone

allow("record.search", anyone, reads=True)
allow("record.see", is_public | steward | auditor, reads=True)
# What is in the data (pictures, quality report) follows the tier, as do the data themselves; `access` knows of
# embargoes that are over.
allow(
    "record.read",
    (where("state", "published") & (where("access", "open") | (where("access", "registered") & signed_in))) | steward,
    reads=True,
)
allow(
    "record.look",
    (where("state", "published") & where("access", "open", "registered", "controlled")) | steward,
    reads=True,
)
allow("record.make", steward)
allow("record.manage", role_anywhere("steward"), reads=True)  # the steward's desk as such
allow("holder.edit", steward)  # the rule of an organization for all its data
allow("record.edit", steward)
allow("record.publish", steward)
allow("record.withdraw", steward)

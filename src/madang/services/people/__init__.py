"""People and their own accounts: signing in, passwords, one-time codes, sessions, API tokens; accounts and roles.

What can be done is in `madang.node.people`; this room has its pages.
"""

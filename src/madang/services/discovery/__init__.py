"""The discovery room: from a library of molecules and assay plates to a ranked, explained shortlist.

It serves medicinal chemists. Structures are secret by default: a library is a dataset of the lake like any other, is
shown only to the people of its project, and a query never leaves the node.
"""

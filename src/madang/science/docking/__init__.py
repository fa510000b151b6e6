"""Docking: a receptor from PDB or mmCIF with a report of what is missing in it, ligands from SMILES, poses and scores.

`receptor` reads and types the protein, `ligand` prepares small molecules and reads poses back, `engine` is AutoDock
Vina (its Python package, else the program of the same name), `run` docks many ligands and goes on where it was.
"""

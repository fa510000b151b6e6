"""Privacy: how risky data are, and what is done about it.

For data engineers and committees who must know before data go out. Flat tables are measured and made anonymous (k, l,
t; exact optimal generalization, local recoding); longitudinal extracts are pseudonymized by recipes and their risk is
counted per person over all tables; results that leave a closed workspace are checked in `outputs`. Methods name their
sources; nothing here needs a node.
"""

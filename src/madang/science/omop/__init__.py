"""The OMOP common data model 5.4 as data, its vocabulary, and its file formats."""

"""Questions in SQL of people who are not trusted: one SELECT over one version, in a closed process."""

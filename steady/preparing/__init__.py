"""Sources into one clean, split set of examples."""

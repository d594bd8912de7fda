"""Reproducing results: the lock file, workspaces, provenance, seeds."""

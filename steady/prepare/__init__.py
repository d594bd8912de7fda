"""The stage `prepare`: raw files to clean, split examples."""

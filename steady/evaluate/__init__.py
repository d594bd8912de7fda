"""The stage `evaluate`: task quality of one arm."""

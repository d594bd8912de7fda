"""The stage `sensitivity`: prompt sensitivity of one arm."""

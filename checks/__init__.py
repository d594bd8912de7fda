"""What `make check` holds beside the linters: the sample data and the house rules."""

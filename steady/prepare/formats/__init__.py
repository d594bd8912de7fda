"""Raw files to drafts of examples: a module a format, each with one function `drafts` and one example row, `SAMPLE`."""

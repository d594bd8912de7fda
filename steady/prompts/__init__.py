"""Wording a prompt: banks, families of rewordings, the one function that renders them, and who is shown which."""

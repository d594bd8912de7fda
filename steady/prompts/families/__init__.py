"""The families of rewordings: how each words a prompt anew."""

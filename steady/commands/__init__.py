"""The commands of `python -m steady`: one thin file each, whose name is the command's and which defines `main`."""

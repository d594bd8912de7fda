"""What a user is told where it is not the program that is at fault."""

import sys

import click
import pytest

from steady.errors import reported


def test_a_package_of_another_python_that_a_sites_path_puts_first_is_named_with_a_way_on(tmp_path, monkeypatch):
    (tmp_path / "sites_numpy.py").write_text("raise ImportError('built for another Python')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", f"/elsewhere:{tmp_path}")
    with pytest.raises(click.ClickException, match=r"sites_numpy.py: built for .* `unset PYTHONPATH`"), reported():
        import sites_numpy
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "other"))
    sys.modules.pop("sites_numpy", None)
    with pytest.raises(ImportError, match="built for"), reported():  # any other is a fault of the program
        import sites_numpy  # noqa: F401

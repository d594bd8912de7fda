"""`steady measure`: whatever answers prompts, on any prompts. In Python: `from steady import measure`, then `measure(…)`."""

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """This package, which can be called.

    `from steady import measure` finds the package, whatever else that name was bound to before a module of it was imported.
    """

    def __call__(self, *given: Any, **settings: Any) -> Any:
        """See `steady.measure.api.measure`."""
        from steady.measure.api import measure

        return measure(*given, **settings)


sys.modules[__name__].__class__ = _Callable

"""`steady measure`: whatever answers prompts, on any prompts. In Python: `from steady import measure`, then `measure(…)`."""

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """This package, which can be called.

    Python binds `steady.measure` to the package as soon as one of its modules is imported, so a function of that name would be lost.
    """

    def __call__(self, *given: Any, **settings: Any) -> Any:
        """See `steady.measure.api.measure`."""
        from steady.measure.api import measure

        return measure(*given, **settings)


sys.modules[__name__].__class__ = _Callable

"""Modules that tests of several folders share are imported from here by their bare names."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from hypothesis import settings

# A busy machine is no fault of the code: no test is about time.
settings.register_profile("steady")
settings.load_profile("steady")

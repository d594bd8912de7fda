"""Settings of every test; modules that tests of several folders share are imported from here by their bare names."""

import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))

# No timing is asserted in a test of properties, and a busy machine or an old processor is slow.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

"""What the tests of the stages share; whole runs are in `generative_run`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

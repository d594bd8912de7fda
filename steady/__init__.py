"""Steady: does LoRA on prompt variants make a model better, and steadier, with numbers anyone can rebuild?"""

import logging

# PEFT imports bitsandbytes, which then warns of a 4-bit kernel for CPUs that nobody asked for.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)

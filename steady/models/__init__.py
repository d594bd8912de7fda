"""Base models, tokenizers and adapters: where they lie, how they are loaded, merged and published."""

import logging

# On import, whatever imports it, bitsandbytes warns of a kernel that nobody asked for; this package comes before all that do.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)

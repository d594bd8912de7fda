"""Pre-training of the two small base models, ``nano`` (causal) and ``nano-t5`` (encoder-decoder)."""

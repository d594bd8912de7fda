"""Pre-training of two small base models, ``nano`` (causal) and ``nano-t5`` (encoder-decoder)."""

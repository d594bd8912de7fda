"""Supervised fine-tuning of models that write, causal and sequence-to-sequence."""

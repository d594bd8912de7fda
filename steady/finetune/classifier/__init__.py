"""Training of encoder classifiers: LoRA, every weight, or a linear probe."""

"""Paraphrases of instructions and templates by a model of the user's choice: sampled, cached, filtered, kept with provenance."""

"""Prompts to predictions, and groups of prompts to matrices of log-likelihoods."""

"""Tokens to numbers: classifiers, language models, key-value caches, log-likelihoods and temperatures."""

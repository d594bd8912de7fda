"""Base models, tokenizers and adapters: where they lie, how they are loaded, merged and published."""

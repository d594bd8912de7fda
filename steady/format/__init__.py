"""The stage `format`: examples to prompts, training schedules, a preview and token lengths."""

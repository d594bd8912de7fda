"""The stage `compare`: arms against each other on identical prompts, paired tests and the verdicts on claims."""

"""Arms against each other on identical prompts: paired tests, the verdicts on the claims, and the headline."""

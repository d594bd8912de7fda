"""`steady inspect`: what a prompt looks like to an arm, token by token."""

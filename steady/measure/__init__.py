"""`steady measure`: any model on any file of prompts."""

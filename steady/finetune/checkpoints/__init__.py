"""Checkpoints that survive a killed process and resume to the same bytes."""

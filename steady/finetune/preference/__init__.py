"""Preference tuning: DPO on pairs and GRPO on rewards."""

"""Steady: does LoRA on prompt variants make a model better, and steadier, with numbers anyone can rebuild?"""

"""The small bank and its examples."""

from prompt_fixtures import bank, bank_file, encode, example, format_params, splits, stage_params  # noqa: F401

"""Small random models."""

from model_fixtures import any_language, llama_folder, one_thread  # noqa: F401

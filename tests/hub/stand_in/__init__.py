"""A stand-in for the Hugging Face Hub: small random models of the recipes' architectures, served to the real client."""

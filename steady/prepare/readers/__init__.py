"""Bytes to records: JSON Lines, JSON documents, CSV and TSV, Parquet and Arrow, compressed files."""

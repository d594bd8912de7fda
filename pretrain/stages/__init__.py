"""One click command per stage of ``pretrain/dvc.yaml``."""

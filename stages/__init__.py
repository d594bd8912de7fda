"""One thin click command per pipeline stage; `dvc.yaml` runs each as `python -m stages.NAME`."""

"""Tracking: the record of trained versions that people look at, in MLflow.

Takes the directory of a version and the contract; gives MLflow a run with its parameters, curves,
figures, data set and files, a version of a registered model, and the alias `champion`. Serves
MLflow's page. Never decides what scores: the registry of directories does, and nothing here reads
MLflow's answer back into it. Never trains, and sends nothing to anyone but the server that is set.

This page imports nothing, so that looking at the room costs nothing: MLflow comes with
`fraudline.tracking.mlflow_record`, which takes seconds to import.
"""

"""One run and one model version in MLflow for each version of the registry."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from fraudline.bundle.bundle_files import METRICS_FILE, REPORT_FILE, read_manifest
from fraudline.bundle.manifest import Manifest, Source
from fraudline.contract import Contract
from fraudline.errors import TrackingError
from fraudline.measures.evaluation import AT_THRESHOLD
from fraudline.measures.policy_effect import PolicyEffect
from fraudline.settings import Settings
from fraudline.tracking.mlflow_engine import (
    MlflowClient,
    artifacts,
    entities,
    failing,
    record_address,
)
from fraudline.tracking.runs_table import (
    VIEW,
    VIEW_TAG,
    in_words,
    judged_effect,
    judged_figures,
    view,
)

CHAMPION = "champion"
VERSION_TAG = "fraudline.version"

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MOST_METRICS = 1000  # of one request, by MLflow's own limit
_DIGEST_LENGTH = 36  # likewise, of a data set's digest
# Of what a network may see; a derived feature is a `float64` or a `bool`.
_TYPES = {
    "float64": "double",
    "int64": "long",
    "bool": "boolean",
    "string": "string",
    "timestamp": "datetime",
}
# Else MLflow's page takes whoever looks at it for somebody who evaluates prompts.
_VIEW = "?workflowType=machine_learning"


class _Figures(msgspec.Struct):
    """What is read of `metrics.json`.

    Attributes:
        settings: What was trained with, by name.
        checkpoints: What was measured while it learned, by name, and after how many steps.
        epochs: What earlier versions have in their place, one for each epoch.
    """

    settings: dict[str, str | int | float | None]
    checkpoints: list[dict[str, float | None]] = []
    epochs: list[dict[str, float | None]] = []


_decode_figures = msgspec.json.Decoder(_Figures).decode


class MlflowRecord:
    """The record of one project's versions.

    Experiment and registered model are named after the contract: only versions for the same
    transactions can be compared. A version is recorded when its model version is there, which
    is written last; what an attempt that failed has left is removed by the next one.

    Args:
        settings: Which MLflow.

    Raises:
        TrackingError: MLflow cannot be reached.
    """

    def __init__(self, settings: Settings) -> None:
        self._uri = record_address(settings)
        self._artifacts = artifacts(settings)
        with failing("opening MLflow's record", self._uri):
            self._client = MlflowClient(tracking_uri=self._uri)

    def add(self, directory: Path, contract: Contract) -> None:
        """Record a version; one that is recorded already stays as it is.

        Args:
            directory: The version's, in the registry.
            contract: What transactions look like now. The types of a version's features are
                recorded by it; of a version for another contract they are not known, which its
                description says.

        Raises:
            BundleError: the version's manifest was altered.
            TrackingError: the version was not recorded.
        """
        manifest = read_manifest(directory)
        figures = _read_figures(directory)
        with failing(f"recording {manifest.version} in MLflow", self._uri):
            if self._find(manifest.contract, manifest.version) is None:
                self._add(directory.absolute(), manifest, figures, contract)

    def name_champion(self, directory: Path) -> None:
        """Give a recorded version the alias `champion`.

        Raises:
            BundleError: the version's manifest was altered.
            TrackingError: the alias was not given.
        """
        manifest = read_manifest(directory)
        with failing(f"naming {manifest.version} the champion in MLflow", self._uri):
            found = self._find(manifest.contract, manifest.version)
            if found is None:
                raise TrackingError("it is not recorded there")
            self._client.set_registered_model_alias(found.name, CHAMPION, found.version)

    def page(self, contract: str) -> str:
        """Where on MLflow's page the versions for a contract are; its start before the first.

        Raises:
            TrackingError: MLflow cannot be reached.
        """
        with failing("looking for the recorded versions", self._uri):
            found = self._client.get_experiment_by_name(_name(contract))
        if found is None:
            return "/"
        shared = f"&viewStateShareKey={VIEW}" if VIEW_TAG in found.tags else ""
        return f"/#/experiments/{found.experiment_id}/runs{_VIEW}{shared}"

    def _find(self, contract: str, version: str) -> entities.model_registry.ModelVersion | None:
        found = self._client.search_model_versions(
            f"name = '{_name(contract)}' AND tags.`{VERSION_TAG}` = '{version}'"
        )
        return found[0] if found else None

    def _add(
        self, directory: Path, manifest: Manifest, figures: _Figures, contract: Contract
    ) -> None:
        experiment = self._experiment(_name(manifest.contract))
        self._save_view(experiment)
        for left in self._client.search_runs(
            [experiment], f"tags.`{VERSION_TAG}` = '{manifest.version}'"
        ):
            self._client.delete_run(left.info.run_id)
        made_at = (manifest.created_at - _EPOCH) // dt.timedelta(milliseconds=1)
        effect = judged_effect(directory, manifest)
        schema, untyped = _schema(manifest, contract)
        told = (_words(manifest), in_words(manifest, effect), untyped)
        words = "\n\n".join(filter(None, told))
        tags = _tags(directory, manifest)
        shown = {"mlflow.source.name": "fraudline", "mlflow.note.content": words}
        run = self._client.create_run(experiment, made_at, tags | shown, manifest.version)
        number = run.info.run_id
        params = [entities.Param(name, value) for name, value in _params(manifest, figures)]
        metrics = [
            entities.Metric(name, value, made_at, step)
            for name, value, step in _metrics(manifest, figures, effect)
        ]
        self._client.log_batch(number, params=params)
        for start in range(0, len(metrics), _MOST_METRICS):
            self._client.log_batch(number, metrics[start : start + _MOST_METRICS])
        self._client.log_inputs(number, [_dataset(manifest, schema)])
        self._client.log_artifacts(number, str(directory))
        self._client.set_terminated(number, "FINISHED", made_at)
        if not self._client.search_registered_models(f"name = '{_name(manifest.contract)}'"):
            self._client.create_registered_model(
                _name(manifest.contract),
                description=f"Versions of the model for contract `{manifest.contract}`. This is a "
                "record: which version scores is decided by `fraudline models promote` alone.",
            )
        self._client.create_model_version(
            _name(manifest.contract),
            run.info.artifact_uri,
            number,
            tags,
            description=_description(words, directory, experiment, number),
        )

    def _experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        return str(self._client.create_experiment(name, self._artifacts))

    def _save_view(self, experiment: str) -> None:
        """Save the view of MLflow's first page, unless there is one: people may change it."""
        found = self._client.get_experiment(experiment)
        if VIEW_TAG not in found.tags:
            self._client.set_experiment_tag(experiment, VIEW_TAG, view(found.creation_time or 0))


def _name(contract: str) -> str:
    return f"fraudline-{contract}"


def _read_figures(directory: Path) -> _Figures:
    path = directory / METRICS_FILE
    try:
        return _decode_figures(path.read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise TrackingError(
            f"{path} cannot be recorded: {error}. Versions trained from now on have what "
            "MLflow is told; train anew to have it for this one."
        ) from None


def _tags(directory: Path, manifest: Manifest) -> dict[str, str]:
    tags = {
        VERSION_TAG: manifest.version,
        "fraudline.directory": str(directory),
        "fraudline.report": (directory / REPORT_FILE).as_uri(),
    }
    if manifest.derived_from:
        tags["fraudline.derived_from"] = manifest.derived_from
    return tags


def _params(manifest: Manifest, figures: _Figures) -> Iterator[tuple[str, str]]:
    """What was decided before training, and the policy; what is not set is left out."""
    policy = msgspec.structs.asdict(manifest.policy)
    named: dict[str, object] = {
        "recipe": manifest.recipe,
        "contract": manifest.contract,
        "contract_fingerprint": manifest.contract_fingerprint,
        **{f"train/{name}": value for name, value in figures.settings.items() if name != "name"},
        **{f"policy/{name}": value for name, value in policy.items()},
        **{f"software/{name}": value for name, value in manifest.software.items()},
    }
    for name, value in named.items():
        if value is not None and value is not msgspec.UNSET:
            yield name, str(value)


def _metrics(
    manifest: Manifest, figures: _Figures, effect: PolicyEffect | None
) -> Iterator[tuple[str, float, int]]:
    """Name, value and step: what the policy does, curves by step, and each part's figures.

    Epochs, of earlier versions, count from 1. What hangs on a threshold that decides nothing is
    named as such.
    """
    for name, judged in judged_figures(manifest, effect).items():
        yield name, judged, 0
    if effect is not None:
        for name, judged in effect.figures().items():
            yield f"{effect.part}/policy/{name}", judged, 0
    for kind, curves in (("checkpoint", figures.checkpoints), ("epoch", figures.epochs)):
        for number, measured in enumerate(curves, start=1):
            step = int(measured.pop("steps", None) or number)
            for name, value in measured.items():
                if value is not None:
                    yield f"{kind}/{name}", value, step
    for name, part in manifest.parts.items():
        told = {"rows": part.rows, "frauds": part.frauds, **part.metrics}
        for measure, value in told.items():
            at = "at_threshold/" if measure in AT_THRESHOLD else ""
            yield f"{name}/{at}{measure}", float(value), 0


def _schema(manifest: Manifest, contract: Contract) -> tuple[str | None, str]:
    """The types of a version's features as MLflow writes them, or why there are none."""
    if manifest.contract_fingerprint != contract.fingerprint:
        return None, (
            "The types of its features are not recorded: contract "
            f"`{contract.name}` is another than the one it was made for."
        )
    columns = [
        {"name": each.name, "type": _TYPES[each.type], "required": not each.is_nullable}
        for each in map(contract.column, manifest.features)
    ]
    return _json({"mlflow_colspec": columns}), ""


def _dataset(manifest: Manifest, schema: str | None) -> entities.DatasetInput:
    source: Source = manifest.source
    return entities.DatasetInput(
        dataset=entities.Dataset(
            name=source.table,
            digest=source.sha256[:_DIGEST_LENGTH],
            source_type="bigquery",
            source=_json(source),
            schema=schema,
            profile=_json({"num_rows": source.rows}),
        ),
        tags=[entities.InputTag("mlflow.data.context", "training")],
    )


def _words(manifest: Manifest) -> str:
    """Where it comes from, for people; in Markdown."""
    told = f"fraudline version `{manifest.version}`, "
    if manifest.derived_from:
        return f"{told}the same model as `{manifest.derived_from}` with another policy."
    if manifest.calibrated:
        unit = manifest.calibrated.unit
        divided = f" Money is divided by {unit:.4g} before it." if unit else ""
        return f"{told}the network of `{manifest.calibrated.of}`, calibrated anew.{divided}"
    return f"{told}trained on {manifest.source}."


def _description(words: str, directory: Path, experiment: str, run: str) -> str:
    page = f"#/experiments/{experiment}/runs/{run}/artifacts/{REPORT_FILE}{_VIEW}"
    return (
        f"{words}\n\nIts [report]({page}), also in its directory `{directory}`, which "
        "is what scorers load."
    )


def _json(content: Any) -> str:
    return msgspec.json.encode(content).decode()

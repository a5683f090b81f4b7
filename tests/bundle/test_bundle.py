"""A bundle that was altered, is incomplete or was made for another contract does not open."""

import datetime as dt
import os
import pickle
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.models import manifest_for, tiny_bundle, weights, write_tiny_bundle, write_tiny_files
from tests.transactions import CREDITCARD, WALLET

from fraudline.bundle import onnx_runtime
from fraudline.bundle.bundle import open_bundle
from fraudline.bundle.bundle_files import (
    COMPARISONS_FILE,
    GRAPH_FILE,
    REASONS_FILE,
    check_bundle,
    read_manifest,
    write_manifest,
)
from fraudline.errors import BundleError


@pytest.fixture
def directory(tmp_path) -> Path:
    write_tiny_bundle(tmp_path / "tiny", WALLET)
    return tmp_path / "tiny"


def rewrite(directory: Path, **changes: object) -> None:
    """Change the manifest as somebody with an editor would."""
    path = directory / "bundle.json"
    path.write_bytes(msgspec.json.encode({**msgspec.json.decode(path.read_bytes()), **changes}))


def test_a_score_is_what_the_graph_computes(directory):
    features = np.random.default_rng(0).normal(size=(600, 5)).astype(np.float32)
    scores = open_bundle(directory, WALLET).score(features)
    expected = 1 / (1 + np.exp(-(features @ weights(5)).astype(np.float64)))
    assert scores.dtype == np.float64
    assert scores.shape == (600,)
    assert np.allclose(scores, expected[:, 0], atol=1e-6)


@pytest.mark.parametrize("rows", [0, 1, 255, 256, 257])
def test_a_row_has_the_same_score_in_a_batch_of_any_size(directory, rows):
    bundle = open_bundle(directory, WALLET)
    features = np.random.default_rng(1).normal(size=(rows, 5)).astype(np.float32)
    alone = [bundle.score(features[row : row + 1])[0] for row in range(rows)]
    assert np.array_equal(bundle.score(features), alone)


def test_a_version_follows_from_the_content_and_not_from_the_time(tmp_path):
    first = write_tiny_bundle(tmp_path / "a", WALLET)
    later = write_tiny_bundle(
        tmp_path / "b", WALLET, created_at=dt.datetime(2027, 1, 1, tzinfo=dt.UTC)
    )
    other = write_tiny_bundle(tmp_path / "c", WALLET, threshold=0.25)
    assert first.version == later.version != other.version
    assert first.version.startswith("wallet-tiny-")


def test_a_manifest_comes_back_as_it_was_written(directory):
    manifest = read_manifest(directory)
    assert manifest == manifest_for(WALLET, files=manifest.files).sealed()
    assert sorted(manifest.files) == [COMPARISONS_FILE, GRAPH_FILE, REASONS_FILE, "report.html"]


@pytest.mark.parametrize("name", [GRAPH_FILE, REASONS_FILE, COMPARISONS_FILE, "report.html"])
def test_a_file_of_which_one_bit_was_flipped_is_named(directory, name):
    content = bytearray((directory / name).read_bytes())
    content[-1] ^= 1
    (directory / name).write_bytes(content)
    with pytest.raises(BundleError, match=f"was altered: {name} has sha256 .* expected"):
        open_bundle(directory, WALLET)


@pytest.mark.parametrize("name", [GRAPH_FILE, REASONS_FILE, COMPARISONS_FILE, "report.html"])
def test_a_missing_file_is_named(directory, name):
    (directory / name).unlink()
    with pytest.raises(BundleError, match=f"was altered: {name} is missing"):
        open_bundle(directory, WALLET)


def test_a_file_that_does_not_belong_to_it_is_named(directory):
    (directory / "more").mkdir()
    (directory / "more" / "weights.bin").write_bytes(b"x")
    with pytest.raises(BundleError, match=r"more/weights.bin does not belong to it"):
        open_bundle(directory, WALLET)


def test_the_hidden_file_of_a_file_manager_does_no_harm(directory):
    (directory / ".DS_Store").write_bytes(b"x")
    assert check_bundle(directory).version.startswith("wallet-tiny-")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("recipe", "other"),
        ("contract", "other"),
        ("contract_fingerprint", "0" * 64),
        ("features", []),
        ("threshold", 0.25),
        ("threshold_rule", "mine"),
        (
            "source",
            {
                "table": "elsewhere",
                "query": "",
                "read_at": "2026-01-01T00:00:00Z",
                "rows": 10,
                "sha256": "",
            },
        ),
        ("parts", {}),
        ("software", {}),
        ("files", {}),
        ("version", "wallet-tiny-000000000000"),
    ],
)
def test_a_manifest_of_which_a_field_was_changed_is_refused(directory, field, value):
    rewrite(directory, **{field: value})
    with pytest.raises(BundleError, match="was altered: it says version"):
        open_bundle(directory, WALLET)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"format": 9}, "has format 9, this fraudline reads 2 and 3"),
        ({"format": 9, "new_field": 1}, "has format 9, this fraudline reads 2 and 3"),
        ({"new_field": 1}, "unknown field `new_field`"),
        ({"threshold": 1.5}, "<= 1.0"),
        ({"threshold": None}, "got `null`"),
        ({"created_at": "2026-01-01T00:00:00"}, "timezone"),
        ({"contract": "../../elsewhere"}, "matching regex"),
        ({"recipe": "a/b"}, "matching regex"),
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused_with_what_is_wrong(directory, changes, told):
    rewrite(directory, **changes)
    with pytest.raises(BundleError, match=told):
        open_bundle(directory, WALLET)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'{"format":2}', b"\xff", b'{"format":2,"source":"\xff"}'],
)
def test_a_manifest_that_is_no_manifest_is_refused(directory, content):
    (directory / "bundle.json").write_bytes(content)
    with pytest.raises(BundleError, match="is not a bundle's manifest"):
        open_bundle(directory, WALLET)


def test_a_pickle_in_the_place_of_the_manifest_or_the_graph_is_not_run(directory, tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    for name in (GRAPH_FILE, "bundle.json"):
        (directory / name).write_bytes(pickle.dumps(Trap()))
        with pytest.raises(BundleError):
            open_bundle(directory, WALLET)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "nowhere", ""])
def test_a_file_name_that_leaves_the_directory_is_never_followed(directory, tmp_path, name):
    (tmp_path / "outside").write_bytes(b"x")
    manifest = read_manifest(directory)
    sealed = msgspec.structs.replace(manifest, files={**manifest.files, name: "0"}).sealed()
    (directory / "bundle.json").write_bytes(msgspec.json.encode(sealed))
    with pytest.raises(BundleError, match=f"was altered: {name} is missing"):
        open_bundle(directory, WALLET)


def test_a_manifest_that_leaves_the_graph_out_does_not_vouch_for_it(directory):
    manifest = read_manifest(directory)
    files = {"report.html": manifest.files["report.html"]}
    sealed = msgspec.structs.replace(manifest, files=files).sealed()
    (directory / "bundle.json").write_bytes(msgspec.json.encode(sealed))
    with pytest.raises(
        BundleError, match=f"{GRAPH_FILE} does not belong to it; {REASONS_FILE} does not"
    ):
        open_bundle(directory, WALLET)


@pytest.mark.parametrize("name", [GRAPH_FILE, "bundle.json", "report.html", "more"])
def test_a_symbolic_link_is_refused_wherever_it_leads(directory, tmp_path, name):
    elsewhere = tmp_path / "elsewhere"
    if (directory / name).exists():
        shutil.move(directory / name, elsewhere)
    else:
        elsewhere.mkdir()  # a link to a directory would be walked past
    (directory / name).symlink_to(elsewhere)
    with pytest.raises(BundleError, match=f"{name} is a symbolic link"):
        open_bundle(directory, WALLET)


@pytest.mark.parametrize("name", [GRAPH_FILE, "bundle.json", "more"])
def test_a_pipe_is_refused_and_not_waited_for(directory, name):
    (directory / name).unlink(missing_ok=True)
    os.mkfifo(directory / name)
    with pytest.raises(BundleError, match=f"{name} is no plain file"):
        open_bundle(directory, WALLET)


@pytest.mark.parametrize("name", [GRAPH_FILE, COMPARISONS_FILE, "bundle.json"])
def test_a_file_that_is_too_large_to_be_read_whole_is_not_read(directory, name):
    with (directory / name).open("ab") as file:
        file.truncate(2**40)  # of holes
    with pytest.raises(BundleError, match=rf"{name} has 1,099,511,627,776 bytes, at most 67,108,"):
        open_bundle(directory, WALLET)


def test_a_manifest_that_is_nested_without_end_is_refused(directory):
    (directory / "bundle.json").write_bytes(b'{"format": ' + b"[" * 100_000)
    with pytest.raises(BundleError, match=r"is not a bundle's manifest"):
        open_bundle(directory, WALLET)


def test_a_directory_without_a_manifest_is_not_a_bundle(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(BundleError, match=r"is not a bundle: bundle\.json cannot be read"):
            open_bundle(path, WALLET)


def test_what_is_opened_is_what_was_hashed_even_if_files_are_replaced_meanwhile(
    directory, monkeypatch
):
    opened = onnx_runtime.opened

    def opened_later(graph, inside=()):
        for name in (GRAPH_FILE, REASONS_FILE, COMPARISONS_FILE):
            (directory / name).write_bytes(b"another one")
        return opened(graph, inside)

    features = np.ones((3, 5), np.float32)
    expected = open_bundle(directory, WALLET).score(features)
    monkeypatch.setattr(onnx_runtime, "opened", opened_later)
    bundle = open_bundle(directory, WALLET)
    assert np.array_equal(bundle.score(features), expected)
    assert bundle.contract == WALLET
    with pytest.raises(BundleError, match="was altered"):
        check_bundle(directory)


def test_a_bundle_of_another_contract_is_refused_by_both_names(directory):
    with pytest.raises(BundleError, match=r"was trained for contract 'wallet' .* 'creditcard'"):
        open_bundle(directory, CREDITCARD)


def test_a_measure_that_is_no_number_is_refused_when_it_is_written(tmp_path):
    part = msgspec.structs.replace(
        manifest_for(WALLET).parts["test"], metrics={"average_precision": float("nan")}
    )
    with pytest.raises(BundleError, match=r"metrics"):
        write_tiny_bundle(tmp_path, WALLET, parts={"test": part})


def test_a_graph_that_cannot_score_the_contracts_features_is_refused(tmp_path):
    write_tiny_files(tmp_path, WALLET, inputs=7)
    write_manifest(tmp_path, manifest_for(WALLET))
    with pytest.raises(BundleError, match="cannot score 5 features"):
        open_bundle(tmp_path, WALLET)


@pytest.mark.parametrize("content", [b"", b"garbage"])
@pytest.mark.parametrize("name", [GRAPH_FILE, REASONS_FILE, COMPARISONS_FILE])
def test_a_file_that_is_none_of_its_kind_is_refused(tmp_path, name, content):
    write_tiny_files(tmp_path, WALLET)
    (tmp_path / name).write_bytes(content)
    write_manifest(tmp_path, manifest_for(WALLET))
    with pytest.raises(BundleError, match="cannot score"):
        open_bundle(tmp_path, WALLET)


def test_a_bundle_of_the_contract_that_fraudline_brings_opens_too(tmp_path):
    assert tiny_bundle(tmp_path, CREDITCARD).score(np.zeros((2, 30), np.float32)).tolist() == [
        0.5,
        0.5,
    ]

"""`models`: what a person does with versions, and is told when it cannot be done."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import re
from dataclasses import replace
from pathlib import Path

import pytest
from tests.cli.conftest import Shell
from tests.harness import SAMPLE, eventually
from tests.models import tiny_policy, write_tiny_bundle, write_tiny_metrics, write_tiny_scores
from tests.tracking.later import reader
from tests.transactions import CREDITCARD, WALLET, WALLET_FILE

from fraudline.bundle.bundle_files import GRAPH_FILE
from fraudline.bundle.manifest import Part
from fraudline.contract import Contract
from fraudline.errors import RegistryError
from fraudline.registry import Registry, Signature
from fraudline.settings import Settings
from fraudline.use_cases.champion import promote, roll_back
from fraudline.use_cases.project import Project

AWAY = "http://127.0.0.1:9"


@pytest.fixture
def registry(home: Path) -> Registry:
    return Registry(home, lambda: "creditcard")


@pytest.fixture
def models(shell: Shell, home: Path) -> Shell:
    """A shell in a project with an empty registry and an empty record."""
    return shell.set(FRAUDLINE_HOME=str(home), DISPLAY="", WAYLAND_DISPLAY="")


def add(registry: Registry, contract: Contract = CREDITCARD, **changes: object) -> str:
    candidate = registry.new_directory()
    write_tiny_metrics(candidate)
    (candidate / "decisions.html").write_text("<p>tiny</p>")
    write_tiny_bundle(candidate, contract, **changes)
    return registry.add(candidate).version


UNKNOWN = "LOOK it keeps no scored payments, so what its policy does is unknown. Train anew."


RUNNING = (
    "Scorers that run take it within two seconds, without a pause. One that cannot read this "
    "registry, or cannot open the version, says so and goes on with what it has."
)


def two_promoted(models: Shell, registry: Registry) -> tuple[str, str]:
    first, second = add(registry), add(registry, threshold=0.25)
    for version in (first, second):
        assert models("models", "promote", version) == (
            0,
            f"{UNKNOWN} champion: {version} {RUNNING}",
        )
    return first, second


def test_a_rollback_is_told_listed_and_recorded(models, registry, home):
    first, second = two_promoted(models, registry)
    assert models("models", "rollback") == (
        0,
        f"{UNKNOWN} champion: {first}, as before {second} {RUNNING}",
    )
    _, listed = models("models", "list")
    assert f" * {first} " in listed
    assert f"* champion since {registry.promotions()[-1].at:%Y-%m-%d %H:%M:%S} UTC" in listed
    found = reader(Settings(home=home)).get_model_version_by_alias(
        "fraudline-creditcard", "champion"
    )
    assert found.tags["fraudline.version"] == first


def test_a_bundle_of_another_place_is_added_and_one_that_was_altered_is_refused(
    models, registry, tmp_path
):
    made = write_tiny_bundle(tmp_path / "made", CREDITCARD)
    code, said = models("models", "add", str(tmp_path / "made"))
    assert code == 0, said
    assert f"added: {made.version}" in said
    assert f"To score with it: fraudline models promote {made.version}" in said
    assert [each.version for each in registry.versions()] == [made.version]
    assert (tmp_path / "made" / GRAPH_FILE).exists(), "what a person has stays"
    (tmp_path / "made" / GRAPH_FILE).write_bytes(b"altered")
    code, said = models("models", "add", str(tmp_path / "made"))
    assert (code, "was altered" in said) == (1, True)


def test_who_changed_what_and_why_is_listed(models, registry):
    first, second = add(registry), add(registry, threshold=0.25)
    models("models", "promote", first, "--reason", "the first")
    models("models", "promote", second, "--by", "anna", "--reason", "catches more")
    models("models", "rollback", "--reason", "stops too many")
    code, said = models("models", "changes")
    assert code == 0
    me = Signature.of_this_process().user
    assert f" promoted {first} {me} the first " in said
    assert f" promoted {second} {first} anna (account {me}) catches more " in said
    assert f" rolled back to {first} {second} {me} stops too many" in said


def test_who_changed_what_is_told_with_the_machine_where_there_are_several(models, registry):
    version = add(registry)
    models("models", "promote", version)
    assert f" on {platform.node()}" not in models("models", "changes")[1]
    registry.promote(version, Signature("anna", "deploy", "once more", "box-7"))
    me = Signature.of_this_process().user
    _, said = models("models", "changes")
    assert f" promoted {version} {me} on {platform.node()} " in said
    assert f" promoted {version} {version} anna (account deploy) on box-7 once more" in said


def test_a_challenger_is_listed_and_told_when_it_is_overtaken(models, registry):
    first, second = two_promoted(models, registry)
    code, said = models("models", "challenge", first, "--days", "7", "--reason", "once more")
    assert code == 0
    assert said.startswith(f"challenger: {first}, until ")
    assert f" challenger {first} since " in models("models", "list")[1]
    _, said = models("models", "challenge", first, "--live")
    assert "scorers that run let it score beside the champion within two seconds" in said
    assert re.search(
        rf"challenger {first} since [^,]*, until [^,]*, scores live", models("models", "list")[1]
    )
    assert models("models", "challenge", second)[0] == 2
    _, said = models("models", "promote", add(registry, threshold=0.75))
    assert f"no challengers any more: {first}; they were to beat the champion before" in said
    assert f"challenger {first} since" not in models("models", "list")[1]
    assert f" challenged {first} {second} " in models("models", "changes")[1]


def test_a_rollout_is_begun_widened_listed_shown_and_ended(models, registry):
    first, second = add(registry), add(registry, threshold=0.25)
    models("models", "promote", first)
    assert "nothing to widen" in models("models", "rollout", "--share", "0.5")[1]
    assert models("models", "promote", first, "--share", "0.05")[0] == 2
    code, said = models("models", "promote", second, "--share", "0.05", "--by", "anna")
    words = f"rollout: {second} decides 5 % of the transactions"
    assert code == 0
    assert f"{words}, champion {first} the others" in said
    assert words in models("models", "list")[1]
    assert words.replace("rollout:", "rollout") in re.sub(
        " +", " ", models("models", "show", second)[1]
    )
    assert words in models("models", "rollout")[1]
    assert models("models", "rollout", "--share", "0.01")[0] == 2
    code, said = models("models", "rollout", "--share", "0.5", "--reason", "goes well")
    assert (code, f"rollout: {second} decides 50 % of the transactions" in said) == (0, True)
    code, said = models("models", "rollback", "--reason", "stops too many")
    assert code == 0
    assert f"the rollout of {second} is over: champion {first} decides all" in said
    assert f"rollout: none stands; champion {first}" in models("models", "rollout")[1]
    _, said = models("models", "changes")
    assert f" rolled out {second} {first} anna (account " in said
    assert "goes well; share 0.05 -> 0.5" in said
    assert "stops too many; share 0.5 -> 0.0" in said
    models("models", "promote", second, "--share", "0.05")
    _, said = models("models", "promote", add(registry, threshold=0.75))
    assert f"the rollout of {second} is over: champion" in said
    models("models", "promote", second, "--share", "0.05")
    assert "--widen without --share" in models("models", "promote", second, "--widen")[1]
    assert "--widen without --share" in models("models", "rollout", "--widen")[1]
    code, said = models("models", "rollout", "--share", "0.1", "--widen")
    assert (code, "it has 20 % once 20 frauds of periods that began after" in said) == (0, True)
    assert "since " in models("models", "rollout")[1]
    for command in (("list",), ("show", second)):
        assert "UTC, and widens by itself" in models("models", *command)[1]
    assert "share 0.05 -> 0.1, widens False -> True" in models("models", "changes")[1]
    models("models", "rollout", "--share", "0.2")
    assert "widens by itself" not in models("models", "list")[1], "it is in a person's hand"
    done = roll_back(Project(Settings(home=registry.directory.parent)))
    assert (done.version, done.ended) == (first, second)  # a program means the champion
    assert registry.champion() == first
    assert registry.rollout() is None


def test_versions_are_told_apart_by_time_recipe_and_what_they_were_derived_from(models, registry):
    made = dt.datetime(2026, 5, 4, 5, 2, 1, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    first = add(registry, created_at=made)
    second = add(registry, created_at=made, derived_from=first)
    recipe = first.split("-")[1]
    models.set(COLUMNS="80")
    _, listed = models("models", "list")
    for version in (first, second):
        assert f"{version} 2026-05-04 03:02 {recipe}" in listed
    assert f"by `models policy` from ─ {second} {first}" in re.sub("─+", "─", listed)


def test_without_an_earlier_champion_a_rollback_says_so(models, registry):
    assert models("models", "rollback")[0] == 1
    only = add(registry)
    registry.promote(only)
    code, said = models("models", "rollback")
    assert code == 2
    assert f"no version was the champion before {only}" in said


def refused_rollback(models: Shell, registry: Registry, earlier: str) -> str:
    """What is said where the champion before the present one cannot score."""
    champion = add(registry, threshold=0.75)
    registry.promote(champion)
    code, said = models("models", "rollback")
    assert code == 1
    assert f"bundle {earlier} " in said
    assert registry.champion() == champion
    return said


def test_a_rollback_to_a_broken_version_is_refused_by_its_name(models, registry):
    version = add(registry)
    registry.promote(version)
    (registry.path(version) / GRAPH_FILE).write_bytes(b"x")
    assert "was altered: graph.onnx" in refused_rollback(models, registry, version)


def test_a_rollback_to_a_version_for_another_contract_is_refused(models, registry):
    version = add(registry, replace(CREDITCARD, description="", columns=CREDITCARD.columns[:9]))
    registry.promote(version)
    assert "but contract 'creditcard' has" in refused_rollback(models, registry, version)


def test_what_mlflow_refuses_is_done_all_the_same_and_told(models, registry):
    version = add(registry)
    models.set(FRAUDLINE_MLFLOW__TRACKING_URI=AWAY)
    code, said = models("models", "promote", version)
    assert code == 0
    assert f"champion: {version} warning: recording {version} in MLflow failed at {AWAY}" in said
    assert f"To record it later: fraudline models record {version}" in said
    assert registry.champion() == version


def test_recording_by_hand_fails_where_mlflow_is_away(models, registry):
    version = add(registry)
    models.set(FRAUDLINE_MLFLOW__TRACKING_URI=AWAY)
    code, said = models("models", "record", version)
    assert code == 1
    assert f"error: recording {version} in MLflow failed at {AWAY}" in said


def test_the_address_of_a_teams_server_cannot_hold_a_password_and_never_shows_it(models):
    models.set(FRAUDLINE_MLFLOW__TRACKING_URI="https://us:open-sesame@mlflow.example")
    code, said = models("models", "list")
    assert code == 2
    assert "mlflow.tracking_uri" in said
    assert "open-sesame" not in said


def test_a_report_is_told_by_its_path_and_the_champions_by_default(models, registry):
    first, second = add(registry), add(registry, threshold=0.25)
    registry.promote(first)
    for arguments, version in (([], first), ([second], second)):
        code, said = models("models", "report", *arguments)
        directory = registry.path(version).absolute()
        assert code == 0
        assert said == (
            f"report {directory / 'report.html'} decisions {directory / 'decisions.html'}"
        )


def test_a_report_is_opened_where_there_is_a_screen(models, registry, tmp_path):
    registry.promote(add(registry))
    opened = tmp_path / "opened"
    browser = tmp_path / "xdg-open"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {json.dumps(str(opened))}\n')
    browser.chmod(0o755)
    models.set(DISPLAY=":0", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert models("models", "report")[0] == 0
    eventually(lambda: opened.exists() and opened.read_text())
    assert opened.read_text() == str(registry.path(registry.champion()) / "report.html")


def test_a_screen_without_a_browser_is_no_failure(models, registry, tmp_path):
    registry.promote(add(registry))
    models.set(DISPLAY=":0", PATH=str(tmp_path))
    assert models("models", "report")[0] == 0


def test_a_version_without_its_report_is_told(models, registry):
    version = add(registry)
    (registry.path(version) / "report.html").unlink()
    code, said = models("models", "report", version)
    assert code == 2
    assert "report.html is missing" in said


def test_rows_that_are_not_scored_are_told_even_if_nothing_can_be(models, tmp_path):
    lines = SAMPLE.read_text().splitlines()[:3]
    lines[2] = "x" + lines[2][lines[2].index(",") :]
    file = tmp_path / "few.csv"
    file.write_text("\n".join(lines))
    code, said = models("predict", str(file), "--out", str(tmp_path / "out.jsonl"))
    assert code == 1
    assert "first is row 2: column 'Time': expected float64, found 'x'" in said
    assert "Nothing was written" in said
    assert "error:" in said


def test_predictions_may_be_written_beside_a_contract_that_fraudline_brings(
    models, registry, tmp_path
):
    """The setting names that contract, and no file of the working directory."""
    registry.promote(add(registry))
    file = tmp_path / "few.csv"
    rows = SAMPLE.read_text().splitlines()[:3]
    file.write_text("\n".join(row.rpartition(",")[0] for row in rows))  # without labels
    for _ in range(2):  # the second time there is such a file
        code, said = models("predict", str(file), "--out", "creditcard")
        assert code == 0, said
    assert len((tmp_path / "creditcard").read_text().splitlines()) == 2


@pytest.mark.parametrize(("label", "word"), [("0", "legitimate"), ("1", "fraud")])
def test_predictions_on_labels_of_one_class_are_written_and_judged_by_nothing(
    models, registry, tmp_path, label, word
):
    registry.promote(add(registry))
    head, *rows = SAMPLE.read_text().splitlines()[:4]
    rows = [f'{row.rpartition(",")[0]},"{label}"' for row in rows]
    file = tmp_path / "few.csv"
    file.write_text("\n".join([head, *rows]))
    out = tmp_path / "out.jsonl"
    code, said = models("predict", str(file), "--out", str(out))
    assert code == 0, said
    assert f"LOOK: each label of {file} says {word}" in said
    assert len(out.read_text().splitlines()) == 3


def test_a_champion_is_named_before_the_record_is_told(registry, home):
    version = add(registry)
    named = []

    def on_promoted(now: str, before: str | None) -> None:
        named.append((now, before, registry.champion()))
        raise KeyboardInterrupt  # whoever stops it while MLflow does not answer

    with pytest.raises(KeyboardInterrupt):
        promote(Project(Settings(home=home)), version, on_promoted)
    assert named == [(version, None, version)]


def judged_version(
    registry: Registry, contract: Contract = CREDITCARD, amount: float = 50.0, **changes: object
) -> str:
    """A version that decides by costs, with scored payments to judge it by."""
    candidate = registry.new_directory()
    write_tiny_metrics(candidate)
    write_tiny_scores(candidate, amount)
    (candidate / "decisions.html").write_text("<p>tiny</p>")
    policy = tiny_policy(review_from=None, block_from=None, **changes)
    write_tiny_bundle(candidate, contract, policy=policy)
    return registry.add(candidate).version


def test_showing_promoting_and_going_back_begin_with_what_the_policy_does(models, registry):
    first, second = judged_version(registry), judged_version(registry, review_cost=3.0)
    effect = (
        "judged by the 1,000 payments (10 frauds) of the test part, 2 days, which chose nothing; "
        "decided by its own policy approved 990 (0 frauds), 495 a day reviewed 0 (0 frauds), "
        "0 a day blocked 10 (10 frauds), 5 a day stopped 0 of 990 legitimate payments, 0 %, 0 a "
        "day: 0 reviewed, 0 blocked money decisions cost 0.00 EUR; approving everything would "
        "cost 650.00 EUR: the policy saves 650.00 EUR"
    )
    for arguments in (("show", first), ("promote", first), ("promote", second), ("rollback",)):
        code, said = models("models", *arguments)
        assert code == 0
        assert said.startswith(effect), arguments


def test_what_a_person_should_look_at_is_said_whenever_a_version_is_told(models, registry):
    version = judged_version(registry, amount=340_000.0)
    for command in ("show", "promote"):
        _, said = models("models", command, version)
        assert (
            "LOOK 100 % of the legitimate payments are stopped, more than 2 %: 990 of 990" in said
        )
        assert (
            "LOOK a review is said to cost 4.00 EUR where the median amount is 340,000.00" in said
        )


def test_how_a_version_stands_beside_boosted_trees_is_told_or_why_that_is_not_known(
    models, registry
):
    told = "average precision 0.800 of the test part by boosted trees, 0.700 by the network: BEHIND"
    compared, alone = add(registry, trees=told), add(registry)
    assert told in re.sub(r"\s+", " ", models("models", "show", compared)[1])
    said = re.sub(r"\s+", " ", models("models", "show", alone)[1])
    assert (
        "beside trees not compared: LightGBM was not there. `pip install 'fraudline[trees]'`"
        in said
    )


def test_figures_at_a_threshold_come_last_and_are_named_as_such(models, registry):
    figures = {"average_precision": 0.5, "precision": 1.0, "frauds_caught": 1.0}
    version = add(registry, parts={"test": Part(10, 1, "0", "9", figures)})
    _, said = models("models", "show", version)
    scores, _, at_threshold = said.partition("At a threshold that decides nothing: at score 0.5")
    assert "average precision 0.5000" in scores
    assert "precision 1.0000" not in scores
    assert "frauds caught 1 precision 1.0000" in at_threshold


@pytest.fixture
def wallets(models: Shell, home: Path) -> Registry:
    """The registry of a project for a contract of somebody's own; `models` is its shell."""
    models.set(FRAUDLINE_CONTRACT=str(WALLET_FILE))
    return Registry(home, lambda: "wallet")


def test_costs_that_nobody_gave_make_no_champion_of_a_contract_of_ones_own(models, wallets):
    version = judged_version(wallets, WALLET, 340_000.0)
    code, said = models("models", "promote", version)
    assert code == 2
    assert "nobody said what its decisions cost" in said
    assert "half of the amounts above 0 in 'amount_minor' are above 340,000.00 cent" in said
    assert (
        f"fraudline models policy {version} --fraud-cost 230000 --review-cost 62000 "
        "--wrong-block-cost 390000" in said
    )
    assert not wallets.has_champion()


def test_what_was_the_champion_is_rolled_back_to_by_whatever_costs_it_decides(models, wallets):
    version = judged_version(wallets, WALLET, 340_000.0)
    wallets.promote(version)  # as the last release would have done
    wallets.promote(judged_version(wallets, WALLET, 340_000.0, review_cost=9.0))
    code, said = models("models", "rollback")
    assert code == 0, said
    assert wallets.champion() == version
    assert "LOOK: contract 'wallet' is a file of your own" in said
    assert f"{version} decides by them" in said
    code, said = models("models", "promote", version)  # it is the champion, and stays it
    assert code == 0, said
    assert f"{version} decides by them" in said


def test_a_bundle_of_the_last_release_is_promoted_where_its_costs_were_given(models, wallets):
    """It keeps no scored payments, and its policy names no scores that a person has set."""
    costs = {"fraud_cost": 1.0, "review_cost": 1.0, "wrong_block_cost": 9.0}
    version = add(wallets, WALLET, policy=tiny_policy(**costs))
    code, said = models("models", "promote", version)
    assert code == 0, said
    assert UNKNOWN in said


def test_a_champion_of_before_that_decides_by_costs_that_nobody_gave_is_told_as_it_scores(
    models, wallets, tmp_path
):
    version = judged_version(wallets, WALLET, 340_000.0)
    wallets.promote(version)  # as the last release would have done
    file = tmp_path / "one.csv"
    file.write_text(
        "payment_id,paid_at,amount_minor,velocity,distance_km,is_abroad,risk_note,merchant\n"
        "p-1,2026-01-02T03:04:05Z,5,1.5,2,true,,shop\n"
    )
    command = ("predict", str(file), "--out", str(tmp_path / "out.jsonl"))
    code, said = models(*command)
    assert code == 0
    assert "LOOK: contract 'wallet' is a file of your own" in said
    assert f"{version} decides by them" in said
    given = {"FRAUD_COST": "15", "REVIEW_COST": "4", "WRONG_BLOCK_COST": "25"}
    models.set(**{f"FRAUDLINE_POLICY__{name}": value for name, value in given.items()})
    assert "LOOK" not in models(*command)[1]


def test_figures_of_a_version_that_was_altered_are_not_told(models, registry):
    version = judged_version(registry)
    write_tiny_scores(registry.path(version), amount=1.0)
    code, said = models("models", "show", version)
    assert code == 1, said
    assert "scores.parquet" in said


def test_costs_that_are_the_defaults_by_a_persons_own_word_decide(models, wallets):
    version = judged_version(wallets, WALLET)
    costs = {"FRAUD_COST": "15", "REVIEW_COST": "4"}
    models.set(**{f"FRAUDLINE_POLICY__{name}": value for name, value in costs.items()})
    code, said = models("models", "promote", version)
    assert code == 2
    assert "wrong_block_cost 25 would be fraudline's defaults" in said
    assert said.endswith("[policy] wrong_block_cost = 25")
    models.set(FRAUDLINE_POLICY__WRONG_BLOCK_COST="25")
    assert models("models", "promote", version)[0] == 0
    assert wallets.champion() == version


def test_two_contracts_in_one_home_have_a_champion_each_and_both_are_listed(
    models, registry, wallets
):
    wallet = judged_version(wallets, WALLET, fraud_cost=1.0, review_cost=1.0, wrong_block_cost=9.0)
    assert models("models", "promote", wallet)[0] == 0
    models.set(FRAUDLINE_CONTRACT="creditcard")
    card = judged_version(registry)
    assert models("models", "promote", card)[0] == 0
    assert (registry.champion(), wallets.champion()) == (card, wallet)
    _, listed = models("models", "list")
    assert f" * {card} " in listed
    assert f" * {wallet} " in listed
    assert "* champion of creditcard since" in listed
    assert "* champion of wallet since" in listed
    assert models("models", "rollback")[0] == 2
    for contract, champion in (("creditcard", card), (str(WALLET_FILE), wallet)):
        models.set(FRAUDLINE_CONTRACT=contract)
        assert f"/{champion}/report.html" in models("models", "report")[1]


def test_a_challenge_without_days_outlasts_the_maturity_of_what_it_is_judged_by(models, registry):
    """Else nothing would be mature before it expires."""
    models("models", "promote", add(registry))
    begun = dt.datetime.now(dt.UTC).replace(microsecond=0)
    assert models("models", "challenge", add(registry, threshold=0.25))[0] == 0
    (made,) = registry.challengers()
    assert made.until - begun >= dt.timedelta(days=28 + CREDITCARD.maturity_days)


def test_every_command_works_on_a_registry_in_an_object_store(models, home, bucket):
    url = f"{bucket}/models"
    models.set(**{name: os.environ[name] for name in os.environ if name.startswith("AWS_")})
    models.set(FRAUDLINE_REGISTRY__URL=url)
    registry = Registry(home, lambda: "creditcard", url)
    first, second = judged_version(registry), judged_version(registry, review_cost=3.0)
    other = add(registry, threshold=0.25)
    for arguments in (
        ("promote", first, "--by", "anna"),
        ("challenge", other),
        ("promote", second),
        ("rollback",),
        ("show", first),
        ("report",),
        ("record", first),
        ("list",),
        ("changes",),
    ):
        code, said = models("models", *arguments)
        assert code == 0, said
    assert f" promoted {second} {first} " in said
    assert not (home / "models").exists()
    code, said = models("models", "report", second)
    assert f"{registry.path(second)}/report.html" in said
    code, said = models.set(AWS_ENDPOINT_URL="http://127.0.0.1:9")("models", "list")
    assert code == 1
    assert f"error: the registry {url} could not be listed" in said


def test_a_promotion_is_told_as_done_where_the_store_goes_away_just_then(
    registry, home, monkeypatch
):
    version = add(registry)
    project = Project(Settings(home=home))

    def went_away(*_: str) -> None:
        def ask() -> None:
            raise RegistryError("away")

        monkeypatch.setattr(project.registry, "challengers", ask)
        monkeypatch.setattr(project.registry, "is_champion", lambda _: ask())

    done = promote(project, version, went_away)
    assert (done.version, done.overtaken) == (version, ())
    assert done.warning is not None
    assert "away" in done.warning
    assert registry.champion() == version

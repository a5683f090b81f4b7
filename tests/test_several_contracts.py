"""Each of several contracts is what a file with it alone would say, and none is guessed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.transactions import WALLET_FILE

from fraudline import local
from fraudline.cli.demo_home import demo_settings
from fraudline.errors import SettingsError
from fraudline.settings import (
    BigQuerySettings,
    KafkaSettings,
    Settings,
    contract_names,
    load_settings,
    load_shared_settings,
)
from fraudline.settings.several import NAMES, by_contract
from fraudline.use_cases.project import Project, every_project, shared_project

TWO = """
[kafka]
group = "ours"
partitions = 7
[contract.creditcard]
[contract.wallet]
[contract.wallet.policy]
fraud_cost = 1500
[contract.wallet.kafka]
topic_labels = "chargebacks"
"""


@pytest.fixture(autouse=True)
def _empty_directory(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(WALLET_FILE, tmp_path)


def write(text: str) -> None:
    Path("fraudline.toml").write_text(text)


def names(settings: Settings) -> dict[str, object]:
    return {
        name: getattr(getattr(settings, group), name)
        for group, several in NAMES.items()
        for name in several
    }


def test_topics_tables_and_groups_follow_from_the_name_and_the_rest_is_shared():
    write(TWO)
    found = load_settings("wallet")
    assert (found.named, found.contract) == ("wallet", "wallet.toml")
    assert found.kafka.group == "ours.wallet"
    assert found.kafka.partitions == 7
    assert found.kafka.topic_rejects == "wallet.transactions.rejected"
    assert found.kafka.topic_labels == "chargebacks"
    assert found.bigquery.table_history == "wallet_fraud_detection_train"
    assert found.bigquery.view_decided == "wallet_decided_transactions"
    assert found.policy.fraud_cost == 1500
    other = load_settings("creditcard")
    assert other.contract == "creditcard"
    assert other.policy == Settings().policy
    own, its = names(found), names(other)
    assert {name for name in own if own[name] == its[name]} == {"history", "history_columns"}


def test_a_project_with_one_contract_keeps_every_name_and_setting():
    write('contract = "wallet.toml"\n[kafka]\ngroup = "ours"\n')
    found = load_settings()
    assert contract_names() == []
    assert found.named is None
    assert found.kafka.group == "ours"
    assert names(found) == names(Settings()) | {"group": "ours"}
    assert load_shared_settings() == found
    assert [each.settings for each in every_project()] == [found]


def test_the_first_contract_keeps_its_names_beside_a_second_by_an_empty_prefix():
    write('contract = "creditcard"\n[kafka]\ngroup = "ours"\n')
    before = load_settings()
    write('[kafka]\ngroup = "ours"\n[contract.creditcard]\nprefix = ""\n[contract.wallet]\n')
    after = load_settings("creditcard")
    assert after.model_dump() == before.model_dump()
    assert load_settings("wallet").kafka.group == "ours.wallet"


def test_one_named_contract_needs_no_choice():
    write("[contract.wallet]\n")
    assert load_settings().kafka.topic_decisions == "wallet.decisions"


def test_none_of_several_is_chosen_and_all_are_named(monkeypatch):
    write(TWO)
    with pytest.raises(SettingsError, match=r"several contracts: creditcard, wallet\. Say which"):
        Project()
    with pytest.raises(SettingsError, match=r"no contract 'walet'; it has creditcard, wallet\."):
        Project(contract="walet")
    monkeypatch.setenv("FRAUDLINE_CONTRACT", "wallet")
    assert Project().contract.name == "wallet"
    assert Project(contract="creditcard").contract.name == "creditcard"
    shared = shared_project()
    with pytest.raises(SettingsError, match="there are several: creditcard, wallet"):
        _ = shared.contract
    assert [each.contract.name for each in every_project()] == ["creditcard", "wallet"]


def test_the_demo_is_nobodys_settings_but_its_own_beside_several_contracts_too():
    write(TWO)
    found = demo_settings()
    assert (found.contract, found.named) == ("creditcard", None)
    assert (found.kafka, found.bigquery) == (KafkaSettings(), BigQuerySettings())


def test_a_contract_below_the_projects_directory_is_the_same(tmp_path, monkeypatch):
    write(TWO)
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert Project(contract="wallet").contract.name == "wallet"
    assert load_settings("wallet").contract == str(tmp_path / "wallet.toml")


@pytest.mark.parametrize("name", ["creditcard", "wallet"])
def test_a_process_that_is_started_has_the_contract_of_who_started_it(name, monkeypatch):
    write(TWO)
    given_settings = load_settings(name)
    for variable, value in local.environment(given_settings).items():
        monkeypatch.setenv(variable, value)
    assert load_settings() == given_settings
    assert load_settings().policy.model_fields_set == given_settings.policy.model_fields_set


@pytest.mark.parametrize(
    "variable", ["KAFKA__TOPIC_DECISIONS", "KAFKA__GROUP", "BIGQUERY__TABLE_LABELS"]
)
def test_a_variable_that_would_call_something_of_each_contract_alike_is_refused(
    variable, monkeypatch
):
    write(TWO)
    monkeypatch.setenv(f"FRAUDLINE_{variable}", "x")
    with pytest.raises(SettingsError, match=rf"FRAUDLINE_{variable} would hold for each of"):
        load_settings("wallet")


def test_a_contract_that_calls_itself_otherwise_is_refused_with_both_names():
    write('[contract.purse]\nfile = "wallet.toml"\n')
    with pytest.raises(SettingsError, match=r"\[contract\.purse\].*calls itself 'wallet'"):
        _ = Project().contract


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[contract]\n", "contract: there is no table [contract.NAME] in it"),
        ("[contract]\nwallet = 3\n", "contract.wallet: expected a table, [contract.wallet]"),
        ('[contract."a-b"]\n', "contract.a-b: a contract is called by letters, digits and _"),
        ("[contract.a]\n[contract.A]\n", "contract.A: it is there twice, but for case"),
        ("[contract.a]\nfiel = 3\n", "contract.a.fiel: there is no such setting of a contract"),
        ("[contract.a]\nfile = 3\n", "contract.a.file: expected the path of a TOML file"),
        ('[contract.a]\nprefix = "a.b"\n', "contract.a.prefix: expected letters, digits and _"),
        ("[contract.a]\nkafka = 3\n", "contract.a.kafka: expected a table, [contract.a.kafka]"),
        ('[contract.a.registry]\nurl = "x"\n', "contract.a.registry: there is no such setting"),
        ("[contract.a.kafka]\ngruop = 3\n", "contract 'a', or FRAUDLINE_…) are not valid: kafka."),
        ("[contract.a]\n[policy]\n", "policy: costs are in the unit of one contract's amount"),
        (
            '[contract.a]\n[kafka]\ntopic_labels = "x"\n',
            "kafka.topic_labels would be of every contract; write it under [contract.NAME.kafka]",
        ),
        (
            '[contract.a]\n[bigquery]\nhistory = "x.y"\n',
            "bigquery.history would be of every contract",
        ),
        (
            '[contract.a]\nprefix = "x"\n[contract.b]\nprefix = "x"\n',
            "contracts 'a' and 'b' would share topic 'x.transactions' (kafka.topic_transactions "
            "and kafka.topic_transactions); give one of them another prefix",
        ),
        (
            '[contract.a]\n[contract.b.bigquery]\ntable_labels = "A_Decisions"\n',
            "would share table 'a_decisions' (bigquery.table_decisions and bigquery.table_labels)",
        ),
        (
            '[contract.a]\n[contract.b.kafka]\ngroup = "fraudline.a"\n',
            "would share group 'fraudline.a'",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_name(text, told):
    write(text)
    with pytest.raises(SettingsError) as caught:
        load_settings("a")
    assert told in str(caught.value)
    assert "fraudline.toml" in str(caught.value)


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(["wallet", "", "x.y", 1, 1.5, True]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["file", "prefix", "kafka", "group", "topic_labels", "bigquery", "?"]),
            inner,
            max_size=3,
        )
    ),
)


@given(
    contracts=st.dictionaries(st.sampled_from(["a", "b", "A", ""]), VALUES, max_size=3),
    others=st.dictionaries(st.sampled_from(["kafka", "bigquery", "policy"]), VALUES, max_size=2),
)
def test_whatever_a_file_holds_is_as_many_projects_or_is_refused(contracts, others):
    try:
        found = by_contract({"contract": contracts, **others})
    except SettingsError:
        return
    assert found.keys() == contracts.keys()
    assert all(isinstance(each["contract"], str) for each in found.values())

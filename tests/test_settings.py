"""A setting comes from one known place, a wrong one is named, and a secret is never told."""

from pathlib import Path

import pytest

from fraudline.cli.service_commands import settings as list_settings
from fraudline.errors import SettingsError
from fraudline.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def _empty_directory(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def environment(monkeypatch):
    return monkeypatch.setenv


def write(text: str) -> None:
    Path("fraudline.toml").write_text(text)


def test_without_a_file_and_variables_the_defaults_hold():
    assert load_settings() == Settings()
    assert load_settings().kafka.group == "fraudline"


def test_the_file_comes_before_the_default_and_the_environment_before_the_file(environment):
    write('contract = "wallet"\n[kafka]\ngroup = "file"\npartitions = 7\n')
    environment("FRAUDLINE_KAFKA__GROUP", "environment")
    settings = load_settings()
    assert settings.kafka.group == "environment"
    assert settings.kafka.partitions == 7
    assert settings.contract == "wallet"
    assert settings.bigquery.dataset == "fraud_detection"


@pytest.mark.parametrize("name", ["FRAUDLINE_SCORING__BATCH_ROWS", "fraudline_scoring__batch_rows"])
def test_a_variable_may_be_in_either_case(environment, name):
    environment(name, "17")
    assert load_settings().scoring.batch_rows == 17


def test_an_empty_variable_counts_as_not_set(environment):
    write('home = "elsewhere"\n')
    environment("FRAUDLINE_HOME", "")
    environment("FRAUDLINE_KAFKA__SSL_CA_LOCATION", "")
    assert load_settings().home == Path("elsewhere")
    assert load_settings().kafka.ssl_ca_location is None


@pytest.mark.parametrize(
    "name",
    [
        "FRAUDLINE_KAFKA__GRUOP",
        "FRAUDLINE_KAFKA_GROUP",
        "FRAUDLINE_KAFKA__GROUP__X",
        "FRAUDLINE_GROUP",
        "FRAUDLINE_KAFKA",
        "FRAUDLINE_",
        "fraudline_kafka__gruop",
    ],
)
def test_an_unknown_variable_is_refused_by_name(environment, name):
    environment(name, "x")
    with pytest.raises(SettingsError, match=f"unknown setting in the environment: {name}\\."):
        load_settings()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[kafka]\ngruop = "x"\n', "kafka.gruop: there is no such setting"),
        ("x = 1\n", "x: there is no such setting"),
        ("[nowhere]\nx = 1\n", "nowhere: there is no such setting"),
        ('kafka = "x"\n', "kafka: Input should be a valid dictionary"),
        ("[kafka]\npartitions = 0\n", "kafka.partitions: Input should be greater than or equal"),
        ('[kafka]\npartitions = "many"\n', "kafka.partitions: Input should be a valid integer"),
        ('[kafka]\ngroup = ""\n', "kafka.group: String should have at least 1 character"),
        ('[kafka]\nsecurity_protocol = "TLS"\n', "kafka.security_protocol: Input should be 'PLAIN"),
        (
            '[kafka]\nsecurity_protocol = "SASL_SSL"\n',
            "kafka: security_protocol is SASL_SSL, but sasl_username is empty",
        ),
        ("[kafka\n", "fraudline.toml cannot be read: Expected ']'"),
        ("[kafka]\n[kafka]\n", "fraudline.toml cannot be read: Cannot declare"),
    ],
)
def test_a_wrong_file_is_refused_with_the_setting_and_what_is_allowed(text, told):
    write(text)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert told in str(caught.value)
    assert "fraudline.toml" in str(caught.value)


def test_a_file_that_is_not_utf8_is_refused():
    Path("fraudline.toml").write_bytes(b'contract = "\xff"')
    with pytest.raises(SettingsError, match=r"fraudline\.toml cannot be read"):
        load_settings()


def test_all_wrong_settings_are_named_at_once(environment):
    write("[kafka]\npartitions = 0\n")
    environment("FRAUDLINE_SINK__BATCH_ROWS", "-1")
    with pytest.raises(SettingsError, match=r"kafka\.partitions: .*; sink\.batch_rows: "):
        load_settings()


def test_a_secret_is_in_no_text_of_the_settings(environment):
    environment("FRAUDLINE_KAFKA__SASL_PASSWORD", "hunter2")
    settings = load_settings()
    assert settings.kafka.sasl_password.get_secret_value() == "hunter2"
    for text in (
        repr(settings),
        str(settings),
        str(settings.kafka.sasl_password),
        str(settings.model_dump()),
        settings.model_dump_json(),
    ):
        assert "hunter2" not in text


def test_the_command_that_lists_the_settings_hides_a_secret(environment, capsys):
    environment("FRAUDLINE_KAFKA__SASL_PASSWORD", "hunter2")
    list_settings()
    told = capsys.readouterr().out
    assert "kafka.sasl_password" in told
    assert "hunter2" not in told


@pytest.mark.parametrize(
    "text",
    [
        '[kafka]\nsasl_password = ["hunter2"]\n',
        '[kafka]\nsasl_password = "hunter2"\nsecurity_protocol = "SASL_SSL"\n',
        '[kafka]\nsasl_password = "hunter2"\npartitions = 0\n',
        'sasl_password = "hunter2"\n',
    ],
)
def test_a_secret_is_in_no_error_message(text):
    write(text)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        (
            "MLFLOW__TRACKING_URI",
            "https://h.example/?token=hunter2",
            "mlflow.tracking_uri: expected",
        ),
        ("MLFLOW__TRACKING_URI", "https://h.example/#hunter2", "MLFLOW_TRACKING_TOKEN"),
        ("MLFLOW__TRACKING_URI", "https://u:hunter2@h.example", "without user, password"),
        (
            "REGISTRY__URL",
            "s3://key:hunter2@bucket/models",
            "registry.url: expected 'local', s3://",
        ),
        ("REGISTRY__URL", "s3://bucket/models?secret=hunter2", "variables AWS_… or GOOGLE_…"),
        ("KAFKA__BOOTSTRAP_SERVERS", "SASL_SSL://u:hunter2@h:9093", "sasl_username and sasl_pass"),
        ("KAFKA__BOOTSTRAP_SERVERS", "h:1,u:hunter2@h:9093", "kafka.bootstrap_servers: expected"),
    ],
)
def test_an_address_with_a_secret_in_it_is_refused_for_every_command_would_show_it(
    environment, name, value, told
):
    environment(f"FRAUDLINE_{name}", value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert told in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("address", ["local", "http://127.0.0.1:5000", "https://h.example/mlflow/"])
def test_an_address_of_an_mlflow_server_is_taken_as_it_is(environment, address):
    environment("FRAUDLINE_MLFLOW__TRACKING_URI", address)
    assert load_settings().mlflow.tracking_uri == address


@pytest.mark.parametrize("url", ["local", "s3://bucket", "gs://a.bucket/team-1/models"])
def test_a_registry_is_local_or_a_bucket_and_ends_without_a_slash(environment, url):
    environment("FRAUDLINE_REGISTRY__URL", url)
    assert load_settings().registry.url == url
    environment("FRAUDLINE_REGISTRY__URL", f"{url}/")
    if url != "local":
        assert load_settings().registry.url == url


@pytest.mark.parametrize(
    "url",
    ["local/", "s3:/bucket", "https://bucket/x", "s3://", "s3://b/../c", "s3://b//c", "az://b"],
)
def test_what_is_no_registry_is_refused(environment, url):
    environment("FRAUDLINE_REGISTRY__URL", url)
    with pytest.raises(SettingsError, match=r"registry\.url: expected 'local', s3://"):
        load_settings()


def test_a_setting_cannot_be_changed_once_it_is_read():
    with pytest.raises(ValueError, match="frozen"):
        load_settings().kafka.group = "other"


def test_every_setting_has_a_sentence_about_it():
    def walk(model):
        for name, field in model.model_fields.items():
            if hasattr(field.annotation, "model_fields"):
                yield from walk(field.annotation)
            else:
                yield name, field.description or ""

    for name, sentence in walk(Settings):
        assert sentence.endswith("."), name


def test_a_file_above_the_working_directory_is_the_projects_and_paths_are_meant_from_there(
    tmp_path, monkeypatch
):
    (tmp_path / "fraudline.toml").write_text(
        'contract = "contracts/wallet.toml"\n[kafka]\nssl_ca_location = "certs/ca.pem"\n'
    )
    below = tmp_path / "notebooks" / "drafts"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    found = load_settings()
    assert found.home == tmp_path / ".fraudline"
    assert found.contract == str(tmp_path / "contracts" / "wallet.toml")
    assert found.kafka.ssl_ca_location == tmp_path / "certs" / "ca.pem"
    assert found.bigquery.credentials_file is None
    monkeypatch.setenv("FRAUDLINE_HOME", "here")  # a shell's path is meant from where one is
    assert load_settings().home == Path("here")
    list_settings()


def test_the_nearest_file_counts_and_a_name_of_a_contract_stays_a_name(tmp_path, monkeypatch):
    below = tmp_path / "below"
    below.mkdir()
    (tmp_path / "fraudline.toml").write_text('home = "above"\n')
    (below / "fraudline.toml").write_text('contract = "handbook"\n')
    monkeypatch.chdir(below)
    assert load_settings().home == Path(".fraudline")
    (below / "deeper").mkdir()
    monkeypatch.chdir(below / "deeper")
    assert load_settings().contract == "handbook"
    assert load_settings().home == below / ".fraudline"


def test_where_settings_were_read_is_told(tmp_path, monkeypatch, capsys):
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    list_settings()
    assert "There is no fraudline.toml" in capsys.readouterr().out
    (tmp_path / "fraudline.toml").write_text('home = "kept"\n')
    list_settings()
    told = capsys.readouterr().out
    assert f"Read from {tmp_path / 'fraudline.toml'}" in told
    assert f"relative paths in it are meant from {tmp_path}." in told


def test_another_users_file_above_is_refused_and_not_passed_over(tmp_path, monkeypatch):
    (tmp_path / "fraudline.toml").write_text('[kafka]\nbootstrap_servers = "evil:9092"\n')
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    monkeypatch.setattr("os.getuid", lambda: (tmp_path / "fraudline.toml").stat().st_uid + 1)
    with pytest.raises(SettingsError, match="belongs to another user"):
        load_settings()
    monkeypatch.chdir(tmp_path)
    assert load_settings().kafka.bootstrap_servers == "evil:9092"


def test_where_the_working_directory_was_removed_the_defaults_hold(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert load_settings() == Settings()


@pytest.mark.parametrize("name", ["mine.contract", "mine", "contracts/mine"])
def test_any_path_of_a_contract_is_meant_from_the_file(tmp_path, monkeypatch, name):
    write(f'contract = "{name}"')
    below = tmp_path / "below"
    below.mkdir()
    monkeypatch.chdir(below)
    assert load_settings().contract == str(tmp_path / name)

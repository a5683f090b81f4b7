"""Pages for people: every command in them exists, every setting and contract in them is valid."""

import ast
import importlib
import re
import shlex
from pathlib import Path

import pytest
import typer

import fraudline
from fraudline.cli.app import app
from fraudline.contract import Decoder, load_contract
from fraudline.settings import contract_names, load_settings, load_shared_settings

ROOT = Path(__file__).parents[2]
GUIDES = sorted((ROOT / "docs" / "guides").glob("*.md"))
README = ROOT / "README.md"
PAGES = [*GUIDES, ROOT / "deploy" / "README.md", README, ROOT / "CONTRIBUTING.md"]
# They run until somebody stops them.
ENDLESS = (["score"], ["sink"], ["models", "ui"], ["reconcile", "--follow"])


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def commands(page: Path) -> list[list[str]]:
    """Each call of `fraudline` in a page's shell blocks, as a list of arguments."""
    lines = "\n".join(blocks(page, "sh")).replace("\\\n", " ").splitlines()
    calls = [re.split(r" \| | & *$|\) *$", line)[0] for line in lines]
    return [
        shlex.split(call[call.index("fraudline ") :])[1:]
        for call in calls
        if re.match(r"(\w+=\$\()?(\.venv/bin/)?fraudline ", call)
    ]


def test_there_are_guides_with_commands():
    assert {page.stem for page in GUIDES} >= {
        "tutorial", "bigquery", "redpanda", "operations", "your-own-data",
    }  # fmt: skip
    assert sum(len(commands(page)) for page in PAGES) > 40


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_that_a_sentence_names_exists(page):
    group = typer.main.get_command(app)
    for told in re.findall(r"`fraudline ([a-z][^`]*)`", page.read_text()):
        command, *rest = told.split()
        assert command in group.commands, told
        below = getattr(group.commands[command], "commands", {})
        assert not below or not rest or rest[0] in below or not rest[0].isalpha(), told


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_of_a_guide_is_one_that_the_command_line_takes(page):
    group = typer.main.get_command(app)
    for arguments in commands(page):
        command, given = group, [part for part in arguments if part != "-v"]
        while given and given[0] in getattr(command, "commands", {}):
            command = command.commands[given.pop(0)]
        assert not hasattr(command, "commands"), f"no command: {arguments}"
        command.make_context("fraudline", given)


@pytest.mark.parametrize("page", [*PAGES, ROOT / "ARCHITECTURE.md"], ids=name_of)
def test_every_make_target_of_a_page_exists(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    asked = re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(), re.MULTILINE)
    assert set(asked) <= targets


def test_what_is_pasted_from_the_readme_runs_to_its_end():
    """A command that never ends is in the background, and what stops it is in another block."""
    block = next(block for block in blocks(README, "sh") if "fraudline up" in block)
    assert block.startswith("make setup\n")
    for line in block.splitlines():
        endless = [each for each in ENDLESS if line.startswith(f"fraudline {' '.join(each)}")]
        assert line.endswith(" &") == bool(endless), line
    assert "#" not in block  # zsh takes a comment for arguments


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_the_python_of_a_page_imports_from_us_exists(page):
    for block in blocks(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fraudline"):
                module = importlib.import_module(node.module or "")
                missing = [each.name for each in node.names if not hasattr(module, each.name)]
                assert missing == []
        for name in re.findall(r"\bfraudline\.(\w+)", block):
            assert hasattr(fraudline, name)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_setting_of_a_guide_exists(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for block in blocks(page, "toml"):
        if "[columns]" not in block:
            Path("fraudline.toml").write_text(block)
            for name in contract_names() or [None]:
                load_settings(name)
    text = page.read_text()
    for variable in set(re.findall(r"export (FRAUDLINE_\w+)=", text)):
        monkeypatch.setenv(variable, "SCRAM-SHA-256" if "MECHANISM" in variable else "value")
    load_shared_settings()


def test_the_contract_of_the_guide_reads_the_message_of_the_guide(tmp_path):
    page = ROOT / "docs" / "guides" / "your-own-data.md"
    (written,) = [block for block in blocks(page, "toml") if "[columns]" in block]
    path = tmp_path / "wallet.toml"
    path.write_text(written)
    contract = load_contract(str(path))
    (message,) = blocks(page, "json")
    rows, _, rejects = Decoder(contract.transaction_columns).decode([message.encode()])
    assert rejects == []
    assert rows.to_pylist()[0]["amount_minor"] == 1250
    assert len(contract.features) == 4


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_of_a_guide_leads_to_a_file(page):
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text())
    missing = [link for link in links if not (page.parent / link).exists()]
    assert missing == []

"""What is told of a contract file."""

from fraudline.contract import Contract
from fraudline.contract.contract_file import examine_text


def faults_of(text: str) -> list[str]:
    """All faults of a contract file, each in one line."""
    found = examine_text(text.encode())
    assert not isinstance(found, Contract)
    return [str(fault) for fault in found]

"""Draw `creditcard-sample.csv` from the whole data set: `python make_sample.py creditcard.csv`.

Nothing is random: every fraud, every 93rd legitimate row, and the one row whose time is written
`1e+05`, in the original order and with the original bytes of each line.
"""

import sys
from pathlib import Path

EVERY_NTH_LEGITIMATE = 93
SAMPLE = Path(__file__).parent / "creditcard-sample.csv"


def draw(whole: Path) -> bytes:
    header, *rows = whole.read_bytes().splitlines(keepends=True)
    drawn = [header]
    legitimate_seen = 0
    for row in rows:
        is_fraud = row.rstrip().endswith(b'"1"')
        is_nth = not is_fraud and legitimate_seen % EVERY_NTH_LEGITIMATE == 0
        if is_fraud or is_nth or row.startswith(b"1e+05,"):
            drawn.append(row)
        legitimate_seen += not is_fraud
    return b"".join(drawn)


if __name__ == "__main__":
    SAMPLE.write_bytes(draw(Path(sys.argv[1])))

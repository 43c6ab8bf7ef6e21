"""Records what libraries give for the functions that call them: `python -m tests.corpus.record`, wherever one is installed.

TA-Lib and pandas-ta (as pandas-ta-classic, which goes on with it) each in its own environment: where both are, pandas-ta calls TA-Lib.
"""

import importlib.util
import json
import sys

import numpy as np

from tests.corpus.execute import values
from tests.corpus.frames import whole_frames
from tests.corpus.places import CAUSAL, RECORDED, SAMPLE

SUCCESSORS = {"pandas_ta": "pandas_ta_classic"}


def main() -> None:
    kept = dict(np.load(RECORDED)) if RECORDED.exists() else {}
    for name, successor in SUCCESSORS.items():
        if importlib.util.find_spec(name) is None and importlib.util.find_spec(successor) is not None:
            sys.modules[name] = importlib.import_module(successor)
    for name, table in whole_frames().items():
        kept[f"{name}/close"] = table["close"].to_numpy()[SAMPLE]
        for text in CAUSAL.read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            if line.get("needs") and importlib.util.find_spec(line["needs"]) is not None:
                kept[f"{name}/{line['id']}"] = values(line["code"], table)[SAMPLE]
    np.savez_compressed(RECORDED, **dict(sorted(kept.items())))
    print(f"{len(kept)} columns in {RECORDED}")


if __name__ == "__main__":
    main()

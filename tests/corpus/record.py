"""Records what a library gives for the functions that call it: `python -m tests.corpus.record`, where TA-Lib is installed."""

import json

import numpy as np

from tests.corpus.execute import values
from tests.corpus.frames import whole_frames
from tests.corpus.places import CAUSAL, RECORDED, SAMPLE


def main() -> None:
    kept = {}
    for name, table in whole_frames().items():
        kept[f"{name}/close"] = table["close"].to_numpy()[SAMPLE]
        for text in CAUSAL.read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            if line.get("needs") == "talib":
                kept[f"{name}/{line['id']}"] = values(line["code"], table)[SAMPLE]
    np.savez_compressed(RECORDED, **kept)
    print(f"{len(kept)} columns in {RECORDED}")


if __name__ == "__main__":
    main()

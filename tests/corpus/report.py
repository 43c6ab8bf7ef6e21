"""The corpus as a table of what is not read or not equal, by reason: `python -m tests.corpus.report [--json | FILE.jsonl]`."""

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from tests.corpus.judge import Verdict, lines, refusal, verdicts
from tests.corpus.places import AHEAD, CAUSAL

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def table(found: Iterable[Verdict]) -> str:
    found = list(found)
    counts = Counter(v.outcome for v in found)
    good = sum(v.good for v in found)
    rows = [f"{good} of {len(found)} read and equal ({good / len(found):.1%}): " + ", ".join(f"{n} {o}" for o, n in counts.most_common())]
    reasons = defaultdict(list)
    for v in found:
        if not v.good:
            reasons[v.outcome].append(v)
    for outcome, group in sorted(reasons.items()):
        rows.append(f"\n{outcome} ({len(group)})")
        rows.extend(f"  {v.id:<40} {v.detail}" for v in sorted(group, key=lambda v: v.detail.partition(" ")[2]))
    return "\n".join(rows)


def not_refused(place: Path = AHEAD) -> list[str]:
    """Lines that look ahead and are not refused as such, with what they are instead."""
    answers = {line.id: refusal(line) for line in lines(place)}
    return [f"  {i:<40} {f'{e.code}: {e.message}' if e else 'read'}" for i, e in answers.items() if e is None or e.code != "look_ahead"]


def main() -> None:
    data = DATA if (DATA / "manifest.json").is_file() else None
    if sys.argv[1:] == ["--json"]:
        found, ahead = list(verdicts(lines(CAUSAL), data)), len(lines(AHEAD))
        equal = sum(v.good for v in found)
        print(json.dumps({"causal": len(found), "equal": equal, "ahead": ahead, "refused": ahead - len(not_refused())}))
        return
    chosen = Path(sys.argv[1]) if len(sys.argv) > 1 else CAUSAL
    print(table(verdicts(lines(chosen), data)))
    if chosen == CAUSAL:
        wrong = not_refused()
        print(f"\n{len(wrong)} of {len(lines(AHEAD))} that look ahead are not refused for it\n" + "\n".join(wrong))


if __name__ == "__main__":
    main()

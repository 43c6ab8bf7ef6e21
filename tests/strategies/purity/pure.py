"""Sources that are pure, each with something that looks as if it were not."""

from tests.strategies.purity.impure import CLASS, HEAD

BODIES = {  # of decide(self, bar)
    "nothing": "return None",
    "memory counted": "self.count += 1",
    "memory of a symbol": "self.seen['a'] = bar.time * 1.0",
    "memory grown": "self.names.add('a')",
    "a set, sorted": "x = [n for n in sorted(self.names)]",
    "a set asked": "x = 'a' in self.names and len(self.names) > 2",
    "largest of a set": "x = max({1.0, 2.0})",
    "local list": "xs = []\n        xs.append(1)\n        xs[0] = 2\n        del xs[0]",
    "local dict": "d: dict[str, float] = {}\n        d.update(a=1.0)\n        d.setdefault('b', 2.0)",
    "local array": "x = np.zeros(3)\n        x[0] += 1.0\n        x.sort()\n        np.add(x, 1.0, out=x)",
    "linear algebra": "x = np.linalg.norm(bar.prices()) + np.fft.fft(np.ones(4)).real.sum()",
    "errstate": "with np.errstate(divide='ignore'):\n            x = np.ones(2) / np.zeros(2)",
    "a name that hides a builtin": "hash = 1\n        x = hash + 1",
    "closure": "def f(x: float) -> float:\n            return x * self.entry\n        y = f(2.0)",
    "lambda": "f = lambda x, n=2: x * n\n        y = sorted(bar.symbols, key=lambda s: bar.price(s))",
    "match": "match self.count:\n            case 0:\n                x = 1\n            case n if n > 3:\n                x = n",
    "try": "try:\n            x = 1 / self.count\n        except ZeroDivisionError as error:\n            x = 0.0",
    "generator": "x = sum(bar.price(s) for s in bar.symbols)",
    "walrus": "if (x := self.count) > 3:\n            y = x",
    "f-string": "x = f'{self.count:+.2f} {self.entry!r}'",
    "while": "n = 3\n        while n:\n            n -= 1",
    "unpacking": "a, *b = bar.symbols\n        (c, d), e = (1, 2), 3",
    "math": "x = math.sqrt(2) + math.pi + math.fsum([1.0, 2.0])",
    "own private method": "x = self._helped(1)\n\n    def _helped(self, x: int) -> int:\n        return x + 1",
    "static method": "x = self.twice(1)\n\n    @staticmethod\n    def twice(x: int) -> int:\n        return 2 * x",
    "isinstance": "x = isinstance(bar.time, int) and callable(math.sqrt)",
}
FILES = {
    "constants": "A, B = 1, (2, 'x')\nC: float = -3.0 * math.pi\nD = LONG\nclass M(Strategy):\n    score = 'close'\n",
    "dataclass": "from dataclasses import dataclass, field\n@dataclass\nclass P:\n    ys: list[float] = field(default_factory=list)\n"
    "class M(Strategy):\n    score = 'close'\n",
    "enum": "from enum import Enum\nclass Mode(Enum):\n    UP = 1\n    DOWN = -1\nclass M(Strategy):\n    score = 'close'\n",
    "values": "class P:\n    def __init__(self, x: float) -> None:\n        self.x = x\n"
    "    def __lt__(self, other: 'P') -> bool:\n        return self.x < other.x\n"
    "class M(Strategy):\n    score = 'close'\n",
    "type alias": "Pairs = dict[str, float]\nfrom collections.abc import Mapping\nclass M(Strategy):\n    score = 'close'\n",
    "future": "class M(Strategy):\n    score: str = 'close'\n    memory: list[float] = []\n"
    "    def begin(self, symbols: tuple[str, ...], timeframe: int) -> None:\n"
    "        self.memory = [0.0] * len(symbols)\n",
    "parent": "class Base(Strategy):\n    held: dict[str, int] = {}\n"
    "class M(Base):\n    def decide(self, bar: Bar) -> Targets | None:\n"
    "        self.held['a'] = 1\n        return None\n",
}


def cases() -> dict[str, str]:
    """Name -> source."""
    bodies = {
        name: f"{HEAD}{CLASS}    def decide(self, bar: Bar) -> Targets | None:\n        {body}\n        return None\n".replace(
            "        return None\n        return None\n", "        return None\n"
        )
        if "\n\n    " not in body
        else f"{HEAD}{CLASS}    def decide(self, bar: Bar) -> Targets | None:\n        {body}\n"
        for name, body in BODIES.items()
    }
    return bodies | {name: HEAD + text for name, text in FILES.items()}

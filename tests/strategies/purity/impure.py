"""Sources that are not pure; `# !` stands behind every line that must be named."""

HEAD = """\
import math
import numpy as np
from strategies.strategy import FLAT, LONG, Bar, Parameter, Strategy, Targets
"""
CLASS = """\
class Mine(Strategy):
    entry: float = Parameter(0.3, low=0.1, high=0.5)
    factors = {"mom": "close / delay(close, 10) - 1"}
    seen: dict[str, float] = {}
    names: set[str] = set()
    count: int = 0
    limit = 3
"""
BODIES = {  # of decide(self, bar)
    "open a file": "with open('x') as f: pass  # !",
    "print": "print(bar.time)  # !",
    "input": "x = input()  # !",
    "eval": "x = eval('1 + 1')  # !",
    "exec": "exec('x = 1')  # !",
    "compile": "x = compile('1', '', 'eval')  # !",
    "import by name": "x = __import__('os')  # !",
    "globals": "globals()['x'] = 1  # !",
    "locals": "x = locals()  # !",
    "vars": "x = vars(self)  # !",
    "getattr": "x = getattr(bar, 'time')  # !",
    "setattr": "setattr(self, 'x', 1)  # !",
    "delattr": "delattr(self, 'count')  # !",
    "hash of text": "x = hash('BTCUSDT')  # !",
    "address": "x = id(bar)  # !",
    "type": "x = type(bar)  # !",
    "breakpoint": "breakpoint()  # !",
    "class of a value": "x = ().__class__  # !",
    "subclasses": "x = (1).__class__.__base__  # !",
    "dict of self": "self.__dict__['x'] = 1  # !",
    "globals of a function": "x = math.sqrt\n        y = x.__globals__  # !",
    "frame": "x = (i for i in (1,)).gi_frame  # !",
    "private of the bar": "x = bar._prices  # !",
    "write the bar": "bar.time = 0  # !",
    "write the bar's list": "bar._prices[0] = 1.0  # !",
    "random numbers": "x = np.random.normal()  # !",
    "random generator": "x = np.random.default_rng(1)  # !",
    "read an array": "x = np.load('x.npy')  # !",
    "write an array": "np.save('x.npy', np.zeros(3))  # !",
    "write text": "np.savetxt('x', np.zeros(3))  # !",
    "map memory": "x = np.memmap('x')  # !",
    "empty array": "x = np.empty(3)  # !",
    "empty like": "x = np.empty_like(bar.prices())  # !",
    "clock of numpy": "x = np.datetime64('now')  # !",
    "part of numpy": "x = np.lib.format  # !",
    "private of numpy": "x = np._core  # !",
    "no such name of numpy": "x = np.frobnicate(1)  # !",
    "array to a file": "bar.prices().tofile('x')  # !",
    "array dumped": "bar.prices().dump('x')  # !",
    "thread count": "np.seterr(all='ignore')  # !",
    "undeclared memory": "self.last = bar.time  # !",
    "undeclared memory, added to": "self.last += 1  # !",
    "a declaration": "self.factors['x'] = 'close'  # !",
    "a parameter": "self.entry = 0.5  # !",
    "a parameter, added to": "self.entry += 0.1  # !",
    "a constant of the class": "self.limit = 4  # !",
    "the class itself": "Mine.count = 3  # !",
    "memory taken away": "del self.count  # !",
    "the class by another name": "kind = Mine  # !\n        kind.count = 3",
    "itself by another name": "me = self  # !\n        me.last = 3",
    "the bar by another name": "b = bar  # !\n        b.time = 3",
    "undeclared memory in a comprehension": "x = [0 for self.last in (1, 2)]  # !",
    "undeclared memory from with": "with np.errstate() as self.last: pass  # !",
    "global": "global N  # !\n        N = 1",
    "nonlocal": "x = 1\n        def f():\n            nonlocal x  # !\n            x = 2\n        f()",
    "a set gone through": "for name in {'a', 'b'}: pass  # !",
    "a set as a list": "x = list(set(bar.symbols))  # !",
    "a set of memory": "for name in self.names: pass  # !",
    "a set by name": "x = set(bar.symbols)\n        for name in x: pass  # !",
    "a set in a comprehension": "x = [n for n in {'a', 'b'} | set(bar.symbols)]  # !",
    "a set summed": "x = sum({0.1, 0.2, 0.3})  # !",
    "a set joined": "x = ','.join({'a', 'b'})  # !",
    "a set as text": "x = str({'a', 'b'})  # !",
    "a set in an f-string": "x = f'{self.names}'  # !",
    "largest of a set by a key": "x = max({'a', 'b'}, key=len)  # !",
    "a pattern that takes what is private": "match bar:\n            case Bar(_prices=p):  # !\n                p[0] = 1.0",
    "the end of the program": "raise SystemExit(0)  # !",
    "an error of any kind caught": "try:\n            x = 1 / 0\n        except:  # !\n            x = 0.0",
    "one of a set": "x = self.names.pop()  # !",
    "a dict made of a set": "x = dict.fromkeys({'a', 'b'}, 0)  # !",
    "a list grown by a set": "x = [1]\n        x.extend({1, 2})  # !",
    "a set sorted by a key": "x = sorted({'a', 'B'}, key=len)  # !",
    "an import taken for a name": "f = lambda __import__: 1\n        x = __import__('os')  # !",
    "difference of keys": "for n in self.seen.keys() - {'a'}: pass  # !",
    "async inside": "async def f(): return 1  # !",
    "a module as a value": "x = np  # !",
    "a name that is not there": "x = zcore(bar.prices())  # !",
    "import inside": "import time  # !",
    "import of another inside": "from os import path  # !",
    "lambda with a default": "f = lambda x=[]: x  # !",
    "a class inside": "class Inner: pass  # !",
    "text formatted by name": "x = '{0.__class__}'.format(bar)  # !",
    "memory through out": "np.add(1.0, 2.0, out=LIMITS)  # !",
}
FILES = {  # whole files after HEAD
    "memory of the class": "from typing import ClassVar\nclass A(Strategy):\n    score = 'close'\n    n: ClassVar[list[int]] = []  # !\n",
    "import of os": "import os  # !\nclass A(Strategy):\n    score = 'close'\n",
    "import of random": "import random  # !\nclass A(Strategy):\n    score = 'close'\n",
    "import of time": "import time  # !\nclass A(Strategy):\n    score = 'close'\n",
    "import of datetime": "from datetime import datetime  # !\nclass A(Strategy):\n    score = 'close'\n",
    "import of pandas": "import pandas as pd  # !\nclass A(Strategy):\n    score = 'close'\n",
    "import of the engine": "from strategies.engine import StrategyEngine  # !\nclass A(Strategy):\n    score = 'close'\n",
    "import of the bot": "from bot.trader import Trader  # !\nclass A(Strategy):\n    score = 'close'\n",
    "import of a neighbour": "from . import other  # !\nclass A(Strategy):\n    score = 'close'\n",
    "star": "from numpy import *  # !\nclass A(Strategy):\n    score = 'close'\n",
    "random of numpy": "from numpy import random as r  # !\nclass A(Strategy):\n    score = 'close'\n",
    "text run by typing": "from typing import get_type_hints  # !\nclass A(Strategy):\n    score = 'close'\n",
    "list at the top": "SEEN = []  # !\nclass A(Strategy):\n    score = 'close'\n",
    "dict at the top": "CACHE: dict[str, float] = {}  # !\nclass A(Strategy):\n    score = 'close'\n",
    "array at the top": "W = np.zeros(3)  # !\nclass A(Strategy):\n    score = 'close'\n",
    "generator at the top": "G = (i for i in (1, 2))  # !\nclass A(Strategy):\n    score = 'close'\n",
    "work at the top": "class A(Strategy):\n    score = 'close'\nif True:  # !\n    N = 1\n",
    "call at the top": "class A(Strategy):\n    score = 'close'\nmath.sqrt(2)  # !\n",
    "default that changes": "def f(x=[]):  # !\n    return x\nclass A(Strategy):\n    score = 'close'\n",
    "default made by a call": "def f(x=np.zeros(3)):  # !\n    return x\nclass A(Strategy):\n    score = 'close'\n",
    "keyword default": "def f(*, x={}):  # !\n    return x\nclass A(Strategy):\n    score = 'close'\n",
    "function that remembers": "def f():\n    f.count = 1  # !\nclass A(Strategy):\n    score = 'close'\n",
    "async at the top": "async def f():  # !\n    return 1\nclass A(Strategy):\n    score = 'close'\n",
    "decorator": "def d(f): return f\n@d  # !\ndef f(): return 1\nclass A(Strategy):\n    score = 'close'\n",
    "memory without annotation": "class A(Strategy):\n    score = 'close'\n    seen = {}  # !\n",
    "init": "class A(Strategy):\n    score = 'close'\n    def __init__(self):  # !\n        pass\n",
    "setattr of a class": "class A(Strategy):\n    score = 'close'\n    def __setattr__(self, n, v):  # !\n        pass\n",
    "metaclass": "class M: pass\nclass A(Strategy, metaclass=M):  # !\n    score = 'close'\n",
    "list of a plain class": "class P:\n    xs: list[int] = []  # !\nclass A(Strategy):\n    score = 'close'\n",
    "getattr of a plain class": "class P:\n    def __getattr__(self, n):  # !\n        return 1\nclass A(Strategy):\n    score = 'close'\n",
    "loop in a class": "class A(Strategy):\n    score = 'close'\n    for i in range(3): pass  # !\n",
    "decide of two": "class A(Strategy):\n    def decide(self, bar, clock):  # !\n        return None\n",
    "begin of none": "class A(Strategy):\n    score = 'close'\n    def begin(self):  # !\n        pass\n",
    "no Python": "class A(Strategy)  # !\n    score = 'close'\n",
}


def cases() -> dict[str, str]:
    """Name -> source."""
    bodies = {
        name: f"{HEAD}LIMITS = (1, 2)\n{CLASS}    def decide(self, bar: Bar) -> Targets | None:\n        {body}\n        return None\n"
        for name, body in BODIES.items()
    }
    return bodies | {name: HEAD + text for name, text in FILES.items()}

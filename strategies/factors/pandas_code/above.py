"""Floors that are called from below: values of one kind hold values of any other, so that what reads them calls in a ring.

Each name is tied once, by `entry`, to the module of that name.
"""

from typing import Any

# Any: their types would bring their imports, and with them the ring.
arrays: Any = None
expressions: Any = None
frames: Any = None
loops: Any = None
methods: Any = None
reductions: Any = None
statements: Any = None
subscripts: Any = None

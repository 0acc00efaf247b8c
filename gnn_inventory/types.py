"""Tensor types, with the axes named as everywhere in this library.

Axes, in this order: ``scenario`` B, ``period`` T, ``node`` N, ``link`` E, ``slot`` L, ``channel`` F. An axis written
``*b`` or ``_`` may be 1 where all scenarios share the value. jaxtyping checks the axes at run time in the tests; without
it (it is a development tool) an annotation means no more than ``Tensor``.
"""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from torch import Tensor

__all__ = [
    "Float",
    "LinkPerScenario",
    "LinkValues",
    "NodePerScenario",
    "NodeValues",
    "Past",
    "PerPeriod",
    "PerScenario",
    "Transit",
    "Truths",
    "Window",
]

if TYPE_CHECKING or find_spec("jaxtyping") is not None:
    from jaxtyping import Bool, Float
else:

    class _Tensor:
        def __class_getitem__(cls, item: object) -> type[Tensor]:
            return Tensor

    Bool = Float = _Tensor

NodePerScenario = Float[Tensor, "scenario node"]
"""One value per scenario and node [B, N]."""
LinkPerScenario = Float[Tensor, "scenario link"]
"""One value per scenario and link [B, E]."""
NodeValues = Float[Tensor, "_ node"]
"""One value per node [1, N], or per scenario and node [B, N]."""
LinkValues = Float[Tensor, "_ link"]
"""One value per link [1, E], or per scenario and link [B, E]."""
Transit = Float[Tensor, "scenario link slot"]
"""Goods on their way [B, E, L]: slot k is on hand after k + 1 more periods."""
PerScenario = Float[Tensor, " scenario"]
"""One value per scenario [B]."""
PerPeriod = Float[Tensor, "scenario period"]
"""One value per scenario and period [B, T]."""
Window = Float[Tensor, "scenario period node"]
"""Demand per scenario, period and node [B, T, N]."""
Past = Float[Tensor, "scenario past node"]
"""Demand per scenario, period before now and node [B, W, N], oldest first."""
Truths = Bool[Tensor, "scenario node"]
"""One truth per scenario and node [B, N]."""

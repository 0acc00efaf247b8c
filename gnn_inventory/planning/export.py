"""One decision as a program of its own: `torch.export`, or ONNX; checked to give the same orders before it is written."""

import copy
import io
import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from gnn_inventory.allocation import Limits, feasible
from gnn_inventory.errors import GnnInventoryError, InputError, UsageError
from gnn_inventory.files import replace_file
from gnn_inventory.graph import InventoryGraph
from gnn_inventory.policies import policy_name
from gnn_inventory.policies.base import Known, Observation, Policy, UnsupportedNetworkError
from gnn_inventory.topology.network import Network, is_panel
from gnn_inventory.types import Float, LinkPerScenario, NodePerScenario, Past, Tensor, Transit

if TYPE_CHECKING:
    from torch.export import ExportedProgram

__all__ = ["ENDINGS", "OneDecision", "export_decision", "normal_quantile"]

ENDINGS = (".pt2", ".onnx")
TOLERANCE = 1e-4
"""By how much an order of the exported program may differ, in units and relative to the order."""
INPUTS = ("on_hand", "in_transit", "past_demand", "calendar")


class OneDecision(nn.Module):
    """A policy on one network: from what may be seen to feasible orders; any number of items at once.

    Args:
        policy: trained.
        network: that it can serve; costs and lead times are part of the program.
    """

    def __init__(self, policy: Policy, network: Network) -> None:
        super().__init__()
        policy = copy.deepcopy(policy).eval().requires_grad_(False).float()
        self.policy, self.graph = policy, InventoryGraph.from_network(network)
        if self.graph.drawn_parameters:
            raise InputError(
                f"{network.name}: {name}: differs by scenario; a program of one decision needs one number: --network NETWORK"
                for name in self.graph.drawn_parameters
            )
        self.limits = Limits.of(self.graph)
        self.decide = policy.start(self.graph, self._known(self.graph.mean_demand))
        if is_panel(network):
            seen = Observation(*self.example(2))
            other = policy.start(self.graph, self._known(self.graph.has_demand * 2.0))
            if not torch.equal(self.decide(seen).orders, other(seen).orders):
                raise UnsupportedNetworkError(
                    f"policy {policy_name(policy)}: its orders depend on the mean demand of each item, which its network does not "
                    "state; a program of one decision takes a network that states its demand, or message_passing with a window"
                )

    def forward(
        self, on_hand: NodePerScenario, in_transit: Transit, past_demand: Past, calendar: Float[Tensor, " channel"]
    ) -> LinkPerScenario:
        """Feasible orders [B, E], units.

        Args:
            on_hand: units [B, N], arrivals included; negative = backlog.
            in_transit: units [B, E, L]; slot k arrives after k + 1 periods.
            past_demand: of the W periods before this one [B, W, N], oldest first.
            calendar: of this period, as training saw it (`orders.calendar_now`) [F].
        """
        desired = self.decide(Observation(on_hand, in_transit, past_demand, calendar))
        if desired.free:
            return desired.orders
        return feasible(self.graph, on_hand, desired.orders, desired.keep, limits=self.limits)

    def example(self, items: int, seed: int = 0) -> tuple[Tensor, ...]:
        """Inputs of the right shapes, drawn around the mean demand that the network states, or 1 where it states none."""
        graph, random = self.graph, torch.Generator().manual_seed(seed)
        mean = torch.where(graph.has_demand, graph.mean_demand.where(graph.mean_demand > 0, 1.0), 0.0).expand(items, -1)
        node_flow, link_flow = graph.flows(mean)
        own = (~graph.is_supplier).float()  # what cannot hold stock has what arrived in this period

        def draw(*shape: int) -> Tensor:
            return torch.rand(*shape, generator=random)

        return (
            2 * draw(items, graph.nodes) * node_flow * own,
            draw(items, graph.links, graph.slots) * link_flow.unsqueeze(-1),
            2 * draw(items, self.policy.window, graph.nodes) * mean.unsqueeze(1),
            draw(self.policy.calendar),
        )

    def _known(self, mean: Float[Tensor, " node"]) -> Known:
        stated = mean.unsqueeze(0)
        return Known(self.graph.parameters(), stated, self.graph.std_demand.unsqueeze(0), *self.graph.flows(stated))


def export_decision(policy: Policy, network: Network, path: str | Path) -> dict[str, Any]:
    """Write one decision of a policy on a network as a program.

    Args:
        policy: trained.
        network: that it can serve.
        path: ending `.pt2` (`torch.export.load`) or `.onnx` (needs the extra `onnx`).

    Returns:
        What the program takes and gives: the axes of every input, names of nodes and links in their order, and `difference`, the
        largest one of an order to the policy's own on other inputs, and another number of items, than it was traced with.

    Raises:
        UsageError: another ending, or the extra is missing. InputError: a value of the network differs from scenario to scenario.
        UnsupportedNetworkError: orders depend on each item's mean. GnnInventoryError: the program gives other orders.
    """
    path = Path(path)
    if path.suffix not in ENDINGS:
        raise UsageError(f"{path}: got ending '{path.suffix}'; expected one of: {', '.join(ENDINGS)}")
    module = OneDecision(policy, network)
    traced, checked = module.example(4, seed=0), module.example(7, seed=1)
    items = torch.export.Dim("item", min=1)
    shapes = {name: None if name == "calendar" else {0: items} for name in INPUTS}
    with torch.no_grad():
        expected = module(*checked)
        program = torch.export.export(module, traced, dynamic_shapes=shapes)
        content, given = _onnx(program, checked) if path.suffix == ".onnx" else _pt2(program, checked)
    difference = float((given - expected).abs().max())
    if bool(((given - expected).abs() > TOLERANCE * (1 + expected.abs())).any()):
        raise GnnInventoryError(
            f"{path}: the exported program gives other orders, by up to {difference:g} units; nothing was written"
        )
    replace_file(path, content)
    graph = module.graph
    axes: dict[str, Any] = {
        "item": "any",
        "node": list(graph.labels),
        "link": graph.link_names,
        "slot": graph.slots,
        "past": policy.window,
    }
    inputs = {
        "on_hand": ["item", "node"],
        "in_transit": ["item", "link", "slot"],
        "past_demand": ["item", "past", "node"],
        "calendar": [policy.calendar],
    }
    return {"file": str(path), "inputs": inputs, "orders": ["item", "link"], "axes": axes, "difference": difference}


def _pt2(program: "ExportedProgram", inputs: tuple[Tensor, ...]) -> tuple[bytes, Tensor]:
    """The program as torch writes it, and what it gives when it is read again."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # weights that are parts of a larger one: each is written as it is, which the comparison below shows
        warnings.filterwarnings("ignore", "No complete tensor found", UserWarning)
        torch.export.save(program, buffer)
    content = buffer.getvalue()
    return content, torch.export.load(io.BytesIO(content)).module()(*inputs)  # our own bytes, of a moment ago


def _onnx(program: "ExportedProgram", inputs: tuple[Tensor, ...]) -> tuple[bytes, Tensor]:
    """The program as ONNX, and what onnxruntime makes of it."""
    try:
        import onnxruntime
        import onnxscript  # noqa: F401  (torch.onnx needs it)
    except ModuleNotFoundError as error:
        raise UsageError(f"ONNX needs {error.name}: pip install 'gnn_inventory[onnx]'") from None
    log = logging.getLogger("torch.onnx")
    level = log.level
    try:
        log.setLevel(logging.ERROR)  # it tells of every library for pictures that is not installed
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # torch calls what it has itself deprecated
            table = torch.export.default_decompositions()
            table[torch.ops.aten.special_ndtri.default] = normal_quantile
            converted = torch.onnx.export(
                program.run_decompositions(table),
                (),
                input_names=list(INPUTS),
                output_names=["orders"],
                dynamo=True,
                verbose=False,
            )
    finally:
        log.setLevel(level)
    assert converted is not None
    content = converted.model_proto.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    wanted = {value.name for value in session.get_inputs()}
    given = {name: value.numpy() for name, value in zip(INPUTS, inputs, strict=True) if name in wanted}
    return content, torch.from_numpy(session.run(None, given)[0])


def normal_quantile(probability: Tensor) -> Tensor:
    """The normal quantile in operations that ONNX has: algorithm AS 241 (PPND7) of Wichura (1988), about 7 digits.

    Args:
        probability: within 1e-11 of neither 0 nor 1.
    """
    middle = probability - 0.5
    r = 0.180625 - middle * middle
    above = ((59.109374720 * r + 159.29113202) * r + 50.434271938) * r + 3.3871327179
    below = ((67.187563600 * r + 78.757757664) * r + 17.895169469) * r + 1.0
    tail = (-torch.minimum(probability, 1.0 - probability).clamp_min(1e-11).log()).sqrt() - 1.6
    far_above = ((0.17023821103 * tail + 1.3067284816) * tail + 2.7568153900) * tail + 1.4234372777
    far_below = (0.12021132975 * tail + 0.73700164250) * tail + 1.0
    return torch.where(middle.abs() <= 0.425, middle * above / below, torch.sign(middle) * far_above / far_below)

"""What an ONNX model must satisfy before anything of it is built: versions, names, order, signatures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import DataError
from ..files.reading import Path, refused
from .element_types import DTYPES, STRING, name_of

NEWEST = 28  # the newest operator set of the default domain whose operators are known here
MOST_NODES = 1_000_000  # of a model whose functions are put in the place of their calls
MOST_DEPTH = 32  # of functions that call functions
STRING_FIELD, MESSAGE_FIELD = 9, 11  # types of fields, as protocol buffers number them
SUPPORTED = "tensors, sequences and optionals of them are supported, maps and sparse tensors are not"


def opsets_of(model: Any, path: Path, newest: int) -> dict[str, int]:
    """The version of the operators by domain. Raises DataError for versions of the future and for a model without any."""
    versions: dict[str, int] = {}
    for entry in model.opset_import:
        domain = plain_domain(entry.domain)
        if domain in versions or entry.version < 1:
            raise refused(path, "opset_import", f"domain {domain!r} has version {entry.version}" + " a second time" * (domain in versions))
        versions[domain] = entry.version
    most = min(newest, NEWEST)
    if versions.get("", 0) > most:
        raise refused(path, "opset_import", f"operator set {versions['']} is newer than {most}, the newest that is known here",
                      why="operators may mean something else there", repair=f"export with opset_version={most}, or install a newer onnx")
    return versions


def check_model(model: Any, path: Path, newest: int) -> None:
    """The version of the format, and that there is a graph."""
    if not 1 <= model.ir_version <= newest:
        raise refused(path, "ir_version", f"{model.ir_version} is not from 1 to {newest}",
                      repair="it is no ONNX model, or needs a newer onnx package: pip install -U onnx")
    if not model.HasField("graph"):
        raise refused(path, "graph", "there is none")
    if model.graph.sparse_initializer:
        raise refused(path, "sparse_initializer", "sparse arrays are not supported", repair="export the weights as dense arrays")
    if model.graph.quantization_annotation and any(entry.quant_parameter_tensor_names for entry in model.graph.quantization_annotation):
        raise refused(path, "quantization_annotation", "annotations that refer to other tensors are not supported",
                      repair="export with QuantizeLinear and DequantizeLinear nodes")


def check_text(message: Any, path: Path, field: str = "model") -> None:
    """Every text in a message is UTF-8: protocol buffers hand others out as bytes."""
    for descriptor, value in message.ListFields():
        where = f"{field}.{descriptor.name}"
        if descriptor.type == STRING_FIELD:
            texts = [value] if isinstance(value, (str, bytes)) else value
            if not all(isinstance(text, str) for text in texts):
                raise refused(path, where, "a name is not UTF-8")
        elif descriptor.type == MESSAGE_FIELD:
            for inner in [value] if hasattr(value, "ListFields") else value:
                check_text(inner, path, where)


def plain_domain(domain: str) -> str:
    """The default domain has two names."""
    return "" if domain == "ai.onnx" else domain


def check_type(proto: Any, path: Path, field: str) -> None:
    """An input or output is a tensor of a supported type, or a sequence or optional of one."""
    kind = proto.WhichOneof("value")
    if kind in ("sequence_type", "optional_type"):
        return check_type(getattr(proto, kind).elem_type, path, field)
    if kind != "tensor_type":
        raise refused(path, f"{field}, type", f"{kind or 'none'} is not supported", why=SUPPORTED)
    code = proto.tensor_type.elem_type
    if code not in DTYPES and code != STRING:
        raise refused(path, f"{field}, elem_type", f"{name_of(code)} is not supported",
                      why="supported are " + ", ".join(map(name_of, [*DTYPES, STRING])), repair="export the model in float32")
    return None


def check_order(nodes: Iterable[Any], known: Iterable[str], path: Path, where: str) -> None:
    """Every value is computed before it is used, and once. Raises DataError that tells a cycle from a wrong order."""
    defined = set(known)
    nodes = list(nodes)
    for node in nodes:
        missing = [name for name in needs(node) if name not in defined]
        if missing:
            raise order_error(nodes, missing[0], node, path, where)
        for name in filter(None, node.output):
            if name in defined:
                raise refused(path, f"{where}, node {label_of(node)}", f"its output {name!r} is defined a second time")
            defined.add(name)


class FunctionSizes:
    """How many nodes each function of a model has, once all functions are put in the place of their calls; long attributes count too."""

    def __init__(self, functions: Mapping[tuple[str, str], Any], path: Path) -> None:
        self.functions, self.path = functions, path
        self.sizes: dict[tuple[str, str], int] = {}
        self.active: list[tuple[str, str]] = []

    def check(self, nodes: Iterable[Any]) -> int:
        """The number of nodes. Raises DataError for functions that call themselves, and for too many nodes."""
        total = sum(self.of_node(node) for node in nodes)
        if total > MOST_NODES:
            raise refused(self.path, "functions", f"they expand to more than {MOST_NODES} nodes")
        return total

    def of_node(self, node: Any) -> int:
        inner = sum(self.check(graph.node) for graph in graphs_in(node))
        key = (plain_domain(node.domain), node.op_type)
        lists = sum(len(entry.ints) + len(entry.floats) + len(entry.strings) for entry in node.attribute) if self.active else 0
        return 1 + inner + lists + (self.of_function(key) if key in self.functions else 0)

    def of_function(self, key: tuple[str, str]) -> int:
        if key in self.active or len(self.active) >= MOST_DEPTH:
            raise refused(self.path, f"function {key[1]!r:.80}", "it calls itself" if key in self.active else
                          f"functions are nested deeper than {MOST_DEPTH} levels")
        if key not in self.sizes:
            self.active.append(key)
            self.sizes[key] = self.check(self.functions[key].node)
            self.active.pop()
        return self.sizes[key]


def graphs_in(node: Any) -> list[Any]:
    """The inner graphs of a node."""
    return [graph for entry in node.attribute for graph in [*([entry.g] if entry.HasField("g") else []), *entry.graphs]]


def needs(node: Any) -> list[str]:
    """The names that a node reads, those of its inner graphs from around it included."""
    names = [name for name in node.input if name]
    for graph in graphs_in(node):
        own = {*(value.name for value in graph.input), *(array.name for array in graph.initializer)}
        inner = [name for child in graph.node for name in needs(child)] + [value.name for value in graph.output]
        own.update(name for child in graph.node for name in child.output)
        names += [name for name in inner if name not in own]
    return names


def label_of(node: Any) -> str:
    """How a node is named in messages."""
    return f"{node.name!r:.80} ({node.op_type:.40})" if node.name else f"{node.op_type:.40} of {', '.join(node.output)!r:.80}"


def order_error(nodes: list[Any], name: str, reader: Any, path: Path, where: str) -> DataError:
    """The error for a value that is used before it is computed: nowhere, later, or in a cycle."""
    makers = {output: node for node in nodes for output in node.output if output}
    field = f"{where}, node {label_of(reader)}"
    if name not in makers:
        return refused(path, field, f"its input {name!r} is defined nowhere")
    if in_cycle(makers, name):
        return refused(path, field, f"its input {name!r} depends on itself", why="the nodes form a cycle")
    return refused(path, field, f"its input {name!r} is computed by a later node", why="nodes must be in the order of computation")


def in_cycle(makers: Mapping[str, Any], start: str) -> bool:
    """Whether a value is among those that it is computed from."""
    visited: set[str] = set()
    stack = [start]
    while stack:
        name = stack.pop()
        for source in needs(makers[name]) if name in makers else ():
            if source == start:
                return True
            if source not in visited:
                visited.add(source)
                stack.append(source)
    return False


def check_unique(names: Iterable[str], path: Path, field: str) -> None:
    """Names are there, and all different."""
    counts = Counter(names)
    wrong = [name for name, count in counts.items() if count > 1 or not name]
    if wrong:
        raise refused(path, field, f"the name {wrong[0]!r:.80} is empty or there twice")


def missing_error(missing: Mapping[str, int], path: Path) -> DataError:
    """The error that names every operator that slopes does not have."""
    listing = ", ".join(f"{name} ({count})" for name, count in sorted(missing.items()))
    return refused(path, "operators", f"these are not supported: {listing}", why="in parentheses: how many nodes use it",
                   repair="export the model without them; docs/onnx-in.md lists the supported operators")

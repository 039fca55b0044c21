"""Make the calls of a graph from the nodes of an ONNX model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..errors import SlopesError
from ..files.reading import Path, refused
from . import importers
from .call import Call, Graph
from .check import check_order, check_type, check_unique, label_of, plain_domain
from .functions import has_body, key_of, standard_body, type_of
from .operators import Operator, operator_for
from .values import Value
from .weights import Weights

MOST_BODIES = 16  # remembered by a node, one for each combination of shapes
OPERATOR_MODULES = importers.MODULES  # importing them fills the table of operators


class Builder:
    """Builds graphs of one model; `missing` counts the operators that slopes does not have."""

    def __init__(self, onnx: Any, path: Path, weights: Weights, functions: Mapping[tuple[str, str], Any]) -> None:
        self.onnx, self.path, self.weights, self.functions = onnx, path, weights, functions
        self.missing: Counter[str] = Counter()
        self.arrays: dict[int, tuple[Any, np.ndarray]] = {}  # by the address of a message, which is kept: functions use theirs many times

    # Graphs

    def graph(self, proto: Any, opsets: Mapping[str, int], refs: Mapping[str, Any], outer: Iterable[str] = ()) -> Graph:
        """A graph with its arrays; `outer` are names of the graph around it, `refs` the attributes of the function that it is in."""
        where = f"graph {proto.name!r:.80}"
        check_unique((value.name for value in proto.input), self.path, f"{where}, inputs")
        check_unique((array.name for array in proto.initializer), self.path, f"{where}, initializers")
        for value in proto.input:
            if value.HasField("type"):
                check_type(value.type, self.path, f"{where}, input {value.name!r:.80}")
        arrays = {array.name: self.array(array, f"initializer {array.name!r:.80}") for array in proto.initializer}
        if proto.sparse_initializer:
            raise refused(self.path, where, "sparse arrays are not supported", repair="export the weights as dense arrays")
        inputs = [value.name for value in proto.input if value.name not in arrays]
        calls = self.calls(proto.node, [*inputs, *arrays], outer, opsets, refs, where)
        outputs = [value.name for value in proto.output]
        self.check_outputs(outputs, {*inputs, *arrays, *outer, *(name for call in calls for name in call.outputs)}, where)
        return Graph(proto.name, inputs, outputs, calls, arrays)

    def check_outputs(self, outputs: list[str], defined: set[str], where: str) -> None:
        for name in outputs:
            if not name or name not in defined:
                raise refused(self.path, f"{where}, outputs", f"{name!r:.80} is defined nowhere")

    def calls(self, nodes: Any, own: list[str], outer: Iterable[str], opsets: Mapping[str, int], refs: Mapping[str, Any],
              where: str) -> list[Call]:
        """The calls of some nodes, which must be in the order of computation."""
        check_order(nodes, {*own, *outer}, self.path, where)
        visible = {*own, *outer}
        calls = []
        for node in nodes:
            calls.append(self.call(node, opsets, refs, visible))
            visible.update(node.output)
        return calls

    # Nodes

    def call(self, node: Any, opsets: Mapping[str, int], refs: Mapping[str, Any], visible: set[str]) -> Call:
        """One node as a call."""
        domain = plain_domain(node.domain)
        attributes = self.resolve(node, refs)
        operator, version = self.local_function(node, domain, attributes), 1
        if operator is None:
            schema = self.schema(node, domain, opsets)
            version = schema.since_version if schema is not None else 0
            operator = self.find_operator(node, domain, schema, attributes, opsets)
            self.check_node(node, schema, attributes)
            attributes = {**self.defaults(schema), **attributes}
        values = {name: self.value(entry, node, opsets, refs, visible) for name, entry in attributes.items()}
        label = node.name or ", ".join(filter(None, node.output))
        return Call(node.op_type, domain, label, version, operator, values, node.input, node.output)

    def schema(self, node: Any, domain: str, opsets: Mapping[str, int]) -> Any:
        """The standard's definition of an operator; None where it has none."""
        if domain not in opsets:
            raise refused(self.path, f"node {label_of(node)}", f"its domain {domain!r:.80} is not among the operator sets of the model")
        try:
            schema = self.onnx.defs.get_schema(node.op_type, max_inclusive_version=opsets[domain], domain=domain)
        except self.onnx.defs.SchemaError:
            return None
        if schema.deprecated:
            raise refused(self.path, f"node {label_of(node)}", f"operator set {opsets[domain]} has this operator no more")
        return schema

    def find_operator(self, node: Any, domain: str, schema: Any, attributes: Mapping[str, Any], opsets: Mapping[str, int]) -> Operator:
        """How a node is computed: by a function of slopes, or by the graph that the standard defines it with."""
        own = operator_for(domain, node.op_type, schema.since_version) if schema is not None else None
        if own is not None:
            return own
        if schema is not None and has_body(schema):
            return self.standard_function(node, schema, attributes, opsets)
        self.missing[f"{domain}.{node.op_type}" if domain else node.op_type] += 1
        return NOTHING

    def check_node(self, node: Any, schema: Any, attributes: Mapping[str, Any]) -> None:
        """Numbers of inputs and outputs, names and types of attributes, as the standard has them."""
        if schema is None:
            return
        where = f"node {label_of(node)}"
        for what, count, least, most in (("inputs", len(node.input), schema.min_input, schema.max_input),
                                         ("outputs", len(node.output), schema.min_output, schema.max_output)):
            if not least <= count <= most:
                raise refused(self.path, where, f"it has {count} {what}, not from {least} to {most}")
        for name, entry in attributes.items():
            known = schema.attributes.get(name)
            if known is None or known.type.value != entry.type:
                raise refused(self.path, f"{where}, attribute {name!r:.80}", "there is no such attribute" if known is None else
                              f"it is of type {entry.type}, not {known.type.name}")
        lacking = [name for name, known in schema.attributes.items() if known.required and name not in attributes]
        if lacking:
            raise refused(self.path, where, f"it lacks the attribute {lacking[0]!r}")

    # Attributes

    def resolve(self, node: Any, refs: Mapping[str, Any]) -> dict[str, Any]:
        """The AttributeProtos by name; those that refer to an attribute of the function around are taken from there."""
        check_unique((entry.name for entry in node.attribute), self.path, f"node {label_of(node)}, attributes")
        resolved = {entry.name: refs.get(entry.ref_attr_name) if entry.ref_attr_name else entry for entry in node.attribute}
        return {name: entry for name, entry in resolved.items() if entry is not None}

    def defaults(self, schema: Any) -> dict[str, Any]:
        """The AttributeProtos of a schema that have a default."""
        if schema is None:
            return {}
        return {name: entry.default_value for name, entry in schema.attributes.items() if entry.default_value.name}

    def value(self, entry: Any, node: Any, opsets: Mapping[str, int], refs: Mapping[str, Any], visible: set[str]) -> Any:
        """An attribute as a Python value: numbers, text, lists of them, arrays, graphs."""
        kind = entry.AttributeType.Name(entry.type)
        field = f"node {label_of(node)}, attribute {entry.name!r:.80}"
        if kind == "TENSOR":
            return self.array(entry.t, field)
        if kind == "GRAPH":
            return self.graph(entry.g, opsets, refs, visible)
        if kind not in READERS:
            raise refused(self.path, field, f"{kind.lower()} is not supported")
        try:
            return READERS[kind](entry)
        except UnicodeDecodeError as error:
            raise refused(self.path, field, f"a string is not UTF-8 ({error})") from error

    def array(self, tensor: Any, field: str) -> np.ndarray:
        """The array of a TensorProto; one for all calls of the function that has it."""
        if id(tensor) not in self.arrays:
            self.arrays[id(tensor)] = (tensor, self.weights.read(tensor, field))
        return self.arrays[id(tensor)][1]

    # Functions

    def local_function(self, node: Any, domain: str, attributes: Mapping[str, Any]) -> Operator | None:
        """The operator of a function that the model defines; None for others."""
        proto = self.functions.get((domain, node.op_type))
        if proto is None:
            return None
        graph = self.function(proto, attributes, {})

        def compute(call: Call, *values: Value) -> tuple[Value, ...]:
            padded = [*values, *[None] * (len(graph.inputs) - len(values))]
            return tuple(graph.run(padded))

        return function_operator(compute)

    def function(self, proto: Any, attributes: Mapping[str, Any], outer: Mapping[str, int]) -> Graph:
        """The body of a function as a graph, with these attributes; `outer` are operator sets that it need not name itself."""
        refs = {**{entry.name: entry for entry in proto.attribute_proto}, **attributes}
        opsets = {**outer, **{plain_domain(entry.domain): entry.version for entry in proto.opset_import}}
        calls = self.calls(proto.node, list(proto.input), (), opsets, refs, f"function {proto.name!r:.80}")
        defined = {*proto.input, *(name for call in calls for name in call.outputs)}
        return Graph(proto.name, proto.input, [name if name in defined else "" for name in proto.output], calls, {})

    def standard_function(self, node: Any, schema: Any, attributes: Mapping[str, Any], opsets: Mapping[str, int]) -> Operator:
        """An operator that the standard defines by a graph; the graph may depend on the types of the inputs, so it is made when it runs."""
        resolved = self.onnx.NodeProto()
        resolved.CopyFrom(node)
        del resolved.attribute[:]
        for name, entry in attributes.items():
            resolved.attribute.append(entry)
            resolved.attribute[-1].name = name
        known = {**self.defaults(schema), **attributes}
        bodies: dict[Any, Graph] = {}

        def compute(call: Call, *values: Value) -> tuple[Value, ...]:
            key = key_of(values)
            if key not in bodies:
                if len(bodies) >= MOST_BODIES:
                    bodies.clear()
                bodies[key] = self.body(resolved, schema, known, values, opsets)
            return tuple(bodies[key].run([*values, *[None] * (len(bodies[key].inputs) - len(values))]))

        return function_operator(compute)

    def body(self, node: Any, schema: Any, attributes: Mapping[str, Any], values: tuple[Value, ...], opsets: Mapping[str, int]) -> Graph:
        """The graph of a standard operator for inputs of these types."""
        types = [type_of(self.onnx, value) for value in values]
        proto = standard_body(self.onnx, schema, node, types, opsets[plain_domain(node.domain)])
        if proto is None:
            raise refused(self.path, f"node {label_of(node)}", "operator is not supported in this version")
        missing, arrays, self.missing, self.arrays = self.missing, self.arrays, Counter(), {}
        try:
            graph = self.function(proto, attributes, opsets)
            if self.missing:
                raise refused(self.path, f"node {label_of(node)}", "its definition needs " + ", ".join(self.missing))
        finally:
            self.missing, self.arrays = missing, arrays
        return graph


def function_operator(compute: Any) -> Operator:
    return Operator(1, compute, (), (), raw=True, random=False, scope=False)


def no_operator(call: Call, *values: Value) -> Value:
    """Stands for a missing operator until all are listed."""
    raise SlopesError(f"{call.op} is not supported")


NOTHING = function_operator(no_operator)

READERS = {
    "FLOAT": lambda entry: entry.f,
    "INT": lambda entry: entry.i,
    "STRING": lambda entry: entry.s.decode(),
    "FLOATS": lambda entry: list(entry.floats),
    "INTS": lambda entry: list(entry.ints),
    "STRINGS": lambda entry: [text.decode() for text in entry.strings],
    "TYPE_PROTO": lambda entry: entry.tp,
}

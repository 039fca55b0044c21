"""The ONNX form of every operation of the table, on the inputs that the table itself describes."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.reference
import pytest
from onnx_cases import runtime
from operation_cases import OPERATIONS, Case, cases

from slopes.graph.dtype import bool_, float32, float64, int64
from slopes.graph.walk import topological
from slopes.onnx.export_builder import Builder
from slopes.onnx.export_forms import FORMS, MATCHES, WITHOUT
from slopes.onnx.export_loops import segment_reads
from slopes.onnx.export_model import model_bytes
from slopes.onnx.export_sizes import SizeTable
from slopes.onnx.export_values import Subgraph, Value, assign_names

# Of these onnxruntime computes float32 alone on CPUs.
SINGLE_ONLY = {"acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cosh", "determinant", "erf", "sinh", "tan"}


def model_of(case: Case) -> bytes:
    """A model of one operation."""
    b = Builder(SizeTable([[case.node]], (0,)), FORMS, MATCHES)
    b.reads = segment_reads([case.node])
    inputs = [Value(node.dtype, node.shape, f"x{i}") for i, node in enumerate(case.inputs)]
    b.values.update(zip(case.inputs, inputs))
    b.translate([case.node])
    value = b.value(case.node)
    result = b.call("Identity", value, shape=value.shape) if value.call is None else value
    graph = Subgraph(inputs, [result], b.calls)
    graph.drop_unused()
    assert not [value for call in graph.all_calls() for value in call.outputs if value in b.missing]
    result.name = "y"
    assign_names(graph)
    return model_bytes(graph, "case")


def target(case: Case) -> np.ndarray:
    """What eager mode computes."""
    values = case.env
    for node in topological([case.node]):
        if node not in values:
            args = [values[arg] for arg in node.args]
            values[node] = node.value if node.value is not None else np.asarray(node.op.compute(*args, **node.params))
    return values[case.node]


@np.errstate(all="ignore")
@pytest.mark.parametrize("name", sorted(set(OPERATIONS) - set(WITHOUT)))
def test_the_form_computes_what_the_operation_means(name):
    tested = 0
    for dtype in (float32, float64, int64, bool_):
        for case in cases(OPERATIONS[name], dtype)[:3 if dtype == float32 else 1]:
            data, feed = model_of(case), {f"x{i}": array for i, array in enumerate(case.arrays)}
            model = onnx.load_from_string(data)
            onnx.checker.check_model(model, full_check=True)
            results = [onnx.reference.ReferenceEvaluator(model).run(None, feed)[0]]
            if not (dtype == float64 and name in SINGLE_ONLY):
                results.append(runtime(data).run(None, feed)[0])
            for result in results:
                assert (result.dtype, result.shape) == (case.node.dtype, case.node.shape), case.text
                np.testing.assert_allclose(result, target(case), rtol=1e-5, atol=1e-6, err_msg=case.text)
            tested += 1
    assert tested


def test_every_operation_has_a_form_or_a_reason():
    assert set(OPERATIONS) - {"expand"} == set(FORMS) | set(WITHOUT) and not set(FORMS) & set(WITHOUT)  # the builder itself expands

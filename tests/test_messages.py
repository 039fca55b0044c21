"""The texts of tensors' errors, word for word: what, why, how to repair, where."""

from __future__ import annotations

import numpy as np
import pytest

import slopes as sl
from slopes.errors import SlopesError
from slopes.trace import Trace, tracing


def text_of(f) -> str:
    """The message without its last line, which must name this file."""
    with pytest.raises(SlopesError) as caught:
        f()
    lines = str(caught.value).splitlines()
    assert "test_messages.py:" in lines[-1]
    return "\n".join(line.strip() for line in lines[:-1])


def in_trace(f):
    def traced():
        trace = Trace()
        with tracing(trace):
            f(trace.argument((2, 3), "float32"))
    return traced


def leaked() -> sl.Tensor:
    trace = Trace()
    with tracing(trace):
        return trace.argument((2,), "float32")


def stayed_inside():
    w = sl.Parameter([1., 2.])
    w._grad_inside = True
    return w.grad


CAPTURED = sl.tensor([1.])
NOT_KNOWN = """\
which is not known while a function is compiled
the function runs once to record its graph, and then natively for every value
"""

GOLDEN = {
    "broadcasting": (lambda: sl.zeros((3, 4)) + sl.zeros(5), """\
add: shapes (3, 4) and (5,) do not broadcast on axis -1 (4 against 5)
sizes must be equal, or one of them 1, counted from the last axis"""),
    "broadcasting that wants trailing axes": (lambda: sl.zeros((3, 4)) * sl.zeros(3), """\
multiply: shapes (3, 4) and (3,) do not broadcast on axis -1 (4 against 3)
sizes must be equal, or one of them 1, counted from the last axis
to line it up with axis 0, give it trailing axes: x.reshape(3, 1)"""),
    "matmul that fits transposed": (lambda: sl.zeros((2, 3)) @ sl.zeros((4, 3)), """\
matmul: a (2, 3) and b (4, 3) do not fit: the last axis of a has 3, axis 0 of b has 4
(..., n, k) times (..., k, m) gives (..., n, m)
the last axis of b has 3: a @ b.mT would fit"""),
    "bool in a trace": (in_trace(lambda x: bool(x.sum() > 0)), """\
a Python branch depends on the value of a tensor (bool[]), """ + NOT_KNOWN + """\
use sl.where(condition, a, b), move the branch outside of the compiled function, or return the value"""),
    "float in a trace": (in_trace(lambda x: float(x.sum())), """\
a Python number is made of a tensor (float32[]), """ + NOT_KNOWN + """\
keep it a tensor, or return it and take float(...) outside"""),
    "int in a trace": (in_trace(lambda x: range(x.argmax())), """\
a Python integer is made of a tensor (int64[]), """ + NOT_KNOWN + """\
keep it a tensor (it can index others), or make it an int outside"""),
    "item in a trace": (in_trace(lambda x: x[0, 0].item()), """\
a Python number is made of a tensor (float32[]), """ + NOT_KNOWN + """\
keep it a tensor, or return it and take item() outside"""),
    "numpy in a trace": (in_trace(lambda x: np.asarray(x)), """\
a NumPy array is made of a tensor (float32[2, 3]), """ + NOT_KNOWN + """\
use the function of slopes of that name, or return the tensor"""),
    "a captured value in a trace": (in_trace(lambda x: float(CAPTURED)), """\
a Python number is made of a tensor (float32[1]), """ + NOT_KNOWN + """\
keep it a tensor, or return it and take float(...) outside"""),
    "mask in a trace": (in_trace(lambda x: x[x > 0]), """\
a shape depends on the values of a mask (bool[2, 3]), """ + NOT_KNOWN + """\
use sl.where(mask, x, 0), which keeps the shape, or select outside"""),
    "tensor kept from a trace": (lambda: leaked() + 1, """\
a tensor (float32[2]) of a compiled function was used after the function had been traced
its tensors stand for the values of every later call and have none of their own
return it from the function, assign it to a tensor, or tap it by its path"""),
    "gradient that stayed inside": (stayed_inside, """\
the gradient of this Parameter (2,) stayed inside of the compiled function that computed it
gradients that a compiled function does not return are never stored: their memory is reused within the step
return it from the function (return loss, weight.grad), or tap it by its path"""),
    "nothing recorded": (lambda: sl.tensor([1.]).sum().backward(), """\
backward on a tensor of shape () that was computed from nothing that requires a gradient
no operation was recorded
make an input with requires_grad=True, and compute outside of no_grad() and after no detach()"""),
    "backward of many numbers": (lambda: (sl.Parameter([1., 2.]) * 2).backward(), """\
backward on a tensor of shape (2,) needs to know what to differentiate
a gradient belongs to a single number
reduce it first: x.sum().backward(), or give backward a gradient of shape (2,)"""),
    "integers with gradients": (lambda: sl.tensor([1], requires_grad=True), """\
a tensor of type int64 cannot require a gradient
only floating-point values change smoothly
make it a float first: x.astype(sl.float32)"""),
    "truth of many": (lambda: bool(sl.tensor([1, 2])), """\
the truth of a tensor of shape (2,) is not one answer
it holds 2 elements
say which: sl.any(x) or sl.all(x)"""),
    "item of many": (lambda: sl.tensor([1, 2]).item(), """\
item: a tensor of shape (2,) holds 2 elements, not one
reduce it first, or take one element: x[0]; tolist() and numpy() give all"""),
    "assignment to a part": (lambda: sl.compile(lambda x: x.__setitem__(0, 1.))(sl.zeros(3)), """\
x[...] = value is not possible in a function that is compiled, differentiated or batched
each operation there makes a new value, and none changes
make a new one: sl.where(mask, value, x) or sl.concat([...]); x.assign(new) replaces all"""),
    "assign of another shape": (lambda: sl.zeros(3).assign(sl.zeros(2)), """\
a value of shape (2,) for a tensor of shape (3,)
a tensor keeps its shape
reshape or expand it to (3,) first"""),
    "index outside": (lambda: sl.zeros((2, 3))[0, 3], """\
indexing: index 3 is outside axis 1 of size 3
indices run from -3 to 2"""),
    "too many indices": (lambda: sl.zeros(3)[0, 0], """\
indexing: 2 indices for a tensor of shape (3,)
it has 1 axes"""),
    "ragged lists": (lambda: sl.tensor([[1, 2], [3]]), """\
the lists do not have one shape: The detected shape was (2,) + inhomogeneous part.
all rows of a tensor have the same length
pad the shorter ones"""),
    "words": (lambda: sl.tensor(["cat"]), """\
['cat'] of type list is no number and no array of numbers
turn words and categories into numbers first"""),
    "unknown type": (lambda: sl.zeros(1, dtype="float16"), """\
'float16' is not a data type of slopes
the types are float32, float64, int8, int16, int32, int64, uint8, uint16, uint32, uint64, bool, complex64, complex128"""),
    "half precision from NumPy": (lambda: sl.tensor(np.ones(2, np.float16)), """\
dtype('float16') is not a data type of slopes
the types are float32, float64, int8, int16, int32, int64, uint8, uint16, uint32, uint64, bool, complex64, complex128
cast the array first: x.astype(np.float32)"""),
    "a mask": (lambda: sl.compile(lambda x: x + 1)(np.ma.array([1.0, 2.0], mask=[True, False])), """\
a masked array of shape (2,) cannot become a tensor
a tensor has no mask: the numbers that it hides would be computed with
fill it first: x.filled(0); np.ma.getmaskarray(x) is the mask, for sl.where"""),
    "words from NumPy": (lambda: sl.tensor(np.array(["a"])), """\
dtype('<U1') is not a data type of slopes
the types are float32, float64, int8, int16, int32, int64, uint8, uint16, uint32, uint64, bool, complex64, complex128
turn words, dates and objects into numbers first"""),
    "no reshape": (lambda: sl.zeros((2, 3)).reshape(-1, 4), """\
reshape: a tensor of shape (2, 3) (6 elements) cannot become (-1, 4)
the number of elements must stay the same
the sizes must multiply to 6; one of them may be -1"""),
    "two holes": (lambda: sl.zeros(6).reshape(-1, -1), """\
reshape: (-1, -1) has more than one -1
-1 stands for the one size that follows from the others
give all sizes but one"""),
    "a float as axis": (lambda: sl.zeros((2, 3)).sum(axis=1.0), """\
sum: an axis is a whole number, not 1.0
axes run from -2 to 1"""),
    "an axis twice": (lambda: sl.zeros((2, 3)).sum(axis=(0, -2)), """\
sum: an axis is named twice in (0, -2)
counted from either end, in a tensor of 2 axes
name each axis once"""),
    "einsum of unequal sizes": (lambda: sl.einsum("i,i", sl.zeros(2), sl.zeros(3)), """\
einsum: letter 'i' in 'i,i' has size 2 in one place and 3 in another
shapes are (2,) and (3,)
use different letters, or transpose or cut an operand"""),
    "einsum without an operand": (lambda: sl.einsum("i,j", sl.zeros(2)), """\
einsum: 'i,j' names 2 operands, 1 were given
separate one term for each operand by commas, before the ->"""),
    "einsum to a letter of nobody": (lambda: sl.einsum("i->k", sl.zeros(2)), """\
einsum: the result 'k' of 'i->k' must have different letters, each from an operand
the operands have 'i'"""),
    "a list as operand": (lambda: sl.tensor([1.]) + [1.], """\
add: [1.0] of type list is no number and no tensor
make a tensor of it first: sl.tensor(...)"""),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_text(name):
    f, wanted = GOLDEN[name]
    assert text_of(f) == wanted

"""The names of PyTorch that programs use most, and which of them slopes.torch has.

`python -m tests.torch_names` prints the table of docs/pytorch.md.
"""

from __future__ import annotations

import slopes.torch as torch

NAMES = """
abs acos acosh add addbmm addcdiv addcmul addmm addmv addr all allclose amax amin aminmax angle any arange arccos arcsin arctan arctan2
argmax argmin argsort argwhere as_strided as_tensor asarray asin asinh atan atan2 atanh atleast_1d atleast_2d atleast_3d baddbmm bernoulli
bfloat16 bincount bitwise_and bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor block_diag bmm broadcast_shapes
broadcast_tensors broadcast_to bucketize can_cast cartesian_prod cat cdist ceil celu chunk clamp clip clone column_stack combinations
compile complex concat conj conv1d conv2d conv3d copysign corrcoef cos cosh cosine_similarity count_nonzero cov cross cummax cummin cumprod
cumsum cumulative_trapezoid deg2rad det diag diag_embed diagflat diagonal diff digamma dist distributed distributions div dot dropout
dsplit dstack einsum empty empty_like enable_grad eq equal erf erfc erfinv exp exp2 expm1 eye finfo flatten flip fliplr flipud float16
float_power floor floor_divide fmax fmin fmod frac from_dlpack from_numpy full full_like func gather gcd ge get_default_dtype
get_num_threads get_rng_state gradient greater gt heaviside histc histogram hsplit hstack hypot iinfo imag index_add index_copy index_fill
index_select inference_mode inner inverse is_complex is_floating_point is_grad_enabled is_nonzero is_tensor isclose isfinite isin isinf
isnan isneginf isposinf isreal jit kron kthvalue layer_norm lcm le lerp less lgamma linspace load log log10 log1p log2 log_softmax
logaddexp logaddexp2 logcumsumexp logdet logical_and logical_not logical_or logical_xor logit logspace logsumexp lt manual_seed
masked_select matmul matrix_power max maximum mean median meshgrid min minimum mm mode moveaxis movedim mul multinomial multiply mv
nan_to_num nanmean nanmedian nansum narrow ne neg nextafter no_grad nonzero norm normal numel ones ones_like onnx outer permute pinverse
pixel_shuffle poisson polar polygamma positive pow prod profiler promote_types qr quantile rad2deg rand rand_like randint randint_like
randn randn_like randperm ravel real reciprocal relu remainder renorm repeat_interleave reshape result_type roll rot90 round rsqrt save
scalar_tensor scatter scatter_add scatter_reduce searchsorted seed select selu set_default_dtype set_grad_enabled set_num_threads
set_printoptions sgn sigmoid sign signbit sin sinc sinh slogdet softmax sort sparse_coo_tensor split sqrt square squeeze stack std
std_mean stft sub sum svd swapaxes swapdims t take take_along_dim tan tanh tensor tensor_split tensordot tile topk trace transpose
trapezoid tril tril_indices triu triu_indices trunc unbind unflatten unique unique_consecutive unravel_index unsqueeze
use_deterministic_algorithms vander var var_mean vdot view_as_complex view_as_real vmap vsplit vstack where xlogy zeros zeros_like
"""
TORCH = NAMES.split()

ABSENT = {  # by the reason
    "memory of other strides does not exist: sl.take with indices of windows, x.unfold": "as_strided",
    "no 16-bit arithmetic: sl.fit(storage='bfloat16')": "float16 bfloat16",
    "complex numbers are eager results of sl.fft and sl.linalg.eig only": "complex polar view_as_complex view_as_real stft",
    "one process on one CPU: sl.fit uses all cores": "distributed",
    "distributions are a library of their own: sl.normal, sl.uniform, sl.bernoulli draw": "distributions poisson",
    "whole numbers of NumPy: numpy.gcd, numpy.lcm, numpy.unravel_index": "gcd lcm unravel_index",
    "the state of a generator is a module's: sl.Generator, named_state()": "get_rng_state",
    "sl.diff, numpy.gradient": "gradient",
    "numpy.histogram; torch.histc is there": "histogram",
    "torch.compile; sl.capture for graphs": "jit",
    "few programs need them: sl.sort, sl.unique_counts": "mode nanmedian unique_consecutive",
    "sl.save_onnx(net, path, example)": "onnx",
    "no derivative of digamma": "polygamma",
    "sl.profile, sl.roofline": "profiler",
    "optim.clip_by_norm, sl.vector_norm": "renorm",
    "scatter_add; for other reductions sl.scan": "scatter_reduce",
    "the environment variable SLOPES_THREADS": "set_num_threads",
    "numpy.set_printoptions": "set_printoptions",
    "tensors are dense": "sparse_coo_tensor",
    "everything is deterministic": "use_deterministic_algorithms",
}


def absent() -> dict[str, str]:
    """The names that are not there, each with its reason."""
    return {name: reason for reason, names in ABSENT.items() for name in names.split()}


def table() -> list[str]:
    """The rows of the table of absent names."""
    return [f"| {', '.join(f'`{name}`' for name in names.split())} | {reason} |" for reason, names in ABSENT.items()]


def summary() -> str:
    """How many names are there."""
    return f"{len(TORCH) - len(absent())} of {len(TORCH)}"


def missing() -> list[str]:
    """The names that slopes.torch lacks."""
    return [name for name in TORCH if not hasattr(torch, name)]


if __name__ == "__main__":
    print(f"{summary()} names are there.\n")
    print("\n".join(["| not there | instead, or why |", "|---|---|", *table()]))

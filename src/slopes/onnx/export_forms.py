"""All operations that have an ONNX form."""

from __future__ import annotations

from collections.abc import Mapping

from . import export_elementwise, export_indices, export_loops, export_moves, export_reductions
from .export_builder import Form, Match

FORMS: Mapping[str, Form] = {**export_elementwise.FORMS, **export_moves.FORMS, **export_indices.FORMS, **export_reductions.FORMS,
                             **export_loops.FORMS}
MATCHES: tuple[Match, ...] = (export_loops.row_slice, export_loops.row_reshape)
LINALG, COMPLEX = "of linear algebra, ONNX has products and determinants only", "ONNX runtimes compute no complex numbers"
WITHOUT: Mapping[str, str] = {
    **dict.fromkeys(("cholesky", "eigh", "pinv", "qr", "signed_log_determinant", "solve", "svd"), LINALG),
    **dict.fromkeys(("conj", "dft", "imag", "real"), COMPLEX),
    "random_bits": "ONNX has no random numbers that a seed repeats",
    "nextafter": "ONNX has no operator that sees the bits of a float",
    "bfloat16_bits": "ONNX has no operator that sees the bits of a float",
    "bfloat16_value": "ONNX has no operator that sees the bits of a float",
}
"""The operations that have no form, and why."""

"""Derivatives of functions of tensors: grad, vjp, jvp, vmap, jacobian, hessian; nestable, in eager mode or while tracing."""

from .batched import vmap
from .matrices import hessian, jacobian
from .modes import grad, jvp, value_and_grad, vjp

__all__ = ["grad", "hessian", "jacobian", "jvp", "value_and_grad", "vjp", "vmap"]

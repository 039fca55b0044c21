"""The functions of tensors, under the names of the Python array API. The examples assume `import slopes as sl`."""

from __future__ import annotations

import math

from ..guarded import guarded
from . import (
    activation,
    attention,
    creation,
    data_types,
    elementwise,
    filtering,
    linear,
    loop,
    manipulation,
    parts,
    reduction,
    resizing,
    searching,
    sets,
    spatial,
    special,
)
from .activation import *  # noqa: F403
from .attention import *  # noqa: F403
from .creation import *  # noqa: F403
from .data_types import *  # noqa: F403
from .elementwise import *  # noqa: F403
from .filtering import *  # noqa: F403
from .linear import *  # noqa: F403
from .loop import *  # noqa: F403
from .manipulation import *  # noqa: F403
from .parts import *  # noqa: F403
from .reduction import *  # noqa: F403
from .resizing import *  # noqa: F403
from .searching import *  # noqa: F403
from .sets import *  # noqa: F403
from .spatial import *  # noqa: F403
from .special import *  # noqa: F403

MODULES = (activation, attention, creation, data_types, elementwise, filtering, linear, loop, manipulation, parts, reduction, resizing,
           searching, sets, spatial, special)
CALLING_BACK = loop, parts  # they call a function of the user, whose errors must not be rewritten

e, pi, inf, nan, newaxis = math.e, math.pi, math.inf, math.nan, None

__all__ = ["e", "inf", "nan", "newaxis", "pi"]
for module in MODULES:
    __all__ += module.__all__
    for name in module.__all__ if module not in CALLING_BACK else ():
        if getattr(module, name).__module__ == module.__name__:
            setattr(module, name, guarded(getattr(module, name)))  # in its module too, where pickle looks for it
            globals()[name] = getattr(module, name)

"""Floor 9, looking inside: what a network sees, keeps and decides; everything returns data and draws a picture of them."""

from .boundary import Boundary, boundary

__all__ = ["Boundary", "boundary"]

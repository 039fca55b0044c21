"""The playground: points in the plane, and a network that learns them."""

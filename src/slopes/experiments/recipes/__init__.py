"""The recipes: one file each, called as `slopes train` calls them."""

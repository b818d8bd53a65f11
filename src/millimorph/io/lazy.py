"""SimpleITK, loaded when it is first needed."""

from typing import Any


def simpleitk() -> Any:
    """Return the module; its functions have no types, so it is Any."""
    import SimpleITK

    return SimpleITK

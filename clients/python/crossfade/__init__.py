"""The Python client of Crossfade: PyMongo's collections, on whichever store is the primary.

    from crossfade import AsyncClient

    async with AsyncClient("127.0.0.1:50051") as client:
        tasks = client["webtasks"]
        await tasks.update_one({"deployment_key": "auth0", ...}, {"$inc": {"version": 1}})

`Client` is the same without asyncio. Errors are in `crossfade.errors`, BSON's own types in
`crossfade.values`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crossfade.public import *  # noqa: F403 (its __all__ says what)
    from crossfade.public import __all__ as __all__


def __getattr__(name: str) -> object:
    """Who only needs `crossfade.v1`, the generated messages, does not pay for the client: it is loaded, once,
    when the first of its names is asked for."""
    if name == "public":  # it is being loaded, or there is none
        raise AttributeError(name)
    from crossfade import public

    globals().update({each: getattr(public, each) for each in ("__all__", *public.__all__)})
    if name in globals():  # one of these, or a module that was loaded with them
        return globals()[name]
    raise AttributeError(f"module 'crossfade' has no attribute {name!r}")


def __dir__() -> list[str]:
    from crossfade import public

    return [*globals(), *public.__all__]

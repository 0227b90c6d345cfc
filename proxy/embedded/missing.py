"""What is missing on this machine, always as one sentence that also says what to do about it."""


class MissingPart(Exception):
    """A store cannot start or be used; `str()` is the one sentence to show a person."""


class PortTaken(MissingPart):
    """Something else listens on the port that a store was to have."""

    def __init__(self, store: str, port: int) -> None:
        super().__init__(
            f"Port {port} for {store} is taken: stop what listens there "
            f"(`ss -ltnp 'sport = :{port}'` names it) or choose another port."
        )

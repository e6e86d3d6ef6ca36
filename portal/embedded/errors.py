"""What the one-machine start tells a person instead of a traceback."""


class StartError(Exception):
    """The start cannot go on; the message says what is wrong and what to do. `exit_code` is the process's."""

    def __init__(self, message: str, *, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code

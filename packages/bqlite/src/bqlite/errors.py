"""Every way bqlite says no, with the reason and codes Google's clients look for."""


class BqliteError(Exception):
    """A request bqlite refuses or cannot carry out.

    Attributes:
        reason: Google's machine-readable word, on which the clients decide whether to retry.
        status: The HTTP status.
        grpc_code: The canonical gRPC code number.
        location: The field, file or name the error is about, or an empty string.
        ends_connection: Whether a connection for appends ends with it.
    """

    reason = "invalid"
    status = 400
    grpc_code = 3
    ends_connection = True

    def __init__(self, message: str, *, location: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.location = location

    def to_proto(self) -> dict[str, str]:
        """The error as REST writes it: reason, message and, where known, location."""
        proto = {"reason": self.reason, "message": self.message, "domain": "global"}
        if self.location:
            proto["location"] = self.location
        return proto


class InvalidError(BqliteError):
    """A request, file or value that can never succeed as it stands."""


class InvalidQueryError(BqliteError):
    """SQL that is wrong, or fails on the rows it meets."""

    reason = "invalidQuery"


class UnsupportedError(BqliteError):
    """Something BigQuery has and bqlite does not; the message names it."""

    reason = "notImplemented"
    status = 501
    grpc_code = 12


class UnsupportedSqlError(BqliteError):
    """A construct BigQuery has and bqlite refuses; the message names it."""

    reason = "invalidQuery"


class NotFoundError(BqliteError):
    """A data set, table, job or stream that does not exist."""

    reason = "notFound"
    status = 404
    grpc_code = 5


class DuplicateError(BqliteError):
    """A name that is taken."""

    reason = "duplicate"
    status = 409
    grpc_code = 6


class PreconditionError(BqliteError):
    """An etag that no longer matches."""

    reason = "conditionNotMet"
    status = 412
    grpc_code = 9


class StoppedError(BqliteError):
    """A job that was cancelled."""

    reason = "stopped"
    status = 499
    grpc_code = 1


class ResourceError(BqliteError):
    """A limit of this machine: memory, disk, or the size of a request."""

    reason = "resourcesExceeded"
    status = 400
    grpc_code = 8


class RequestTooLargeError(BqliteError):
    """A request larger than BigQuery takes."""

    status = 413
    grpc_code = 8


class SlowClientError(BqliteError):
    """A request that does not come to its end in time."""

    reason = "timeout"
    status = 408
    grpc_code = 4


class EndingError(BqliteError):
    """What was asked of a server that ends; the next one over its directory may be asked again."""

    reason = "backendError"
    status = 503
    grpc_code = 14

    def __init__(self) -> None:
        super().__init__("bqlite is ending; the request may be retried")


class ServerStartError(Exception):
    """The server cannot start; the message is the one line its user reads."""

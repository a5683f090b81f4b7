"""Every error a person can meet, as a tree that follows what they can do about it.

A message answers four questions: what failed, where, what was found against what was
expected, and what to do now. The command line prints the message alone, without a
traceback, and ends with the error's `exit_code`.
"""

from __future__ import annotations


class FraudlineError(Exception):
    """Something failed, and the message says what to do now."""

    exit_code = 1


class UsageError(FraudlineError):
    """What was asked for cannot be done as asked: change the command, setting or file."""

    exit_code = 2


class SettingsError(UsageError):
    """A setting is unknown, malformed or contradicts another one."""


class ContractError(UsageError):
    """A contract file is malformed, or data does not have the columns of its contract."""


class InputError(UsageError):
    """A file or an argument is missing, unreadable or not what its command takes."""


class RefusedRowsError(FraudlineError):
    """More rows of a file do not fit the contract than a person allowed."""


class BundleError(FraudlineError):
    """A bundle is incomplete, altered, or made for another contract."""


class NewerRecordError(FraudlineError):
    """A later fraudline, or one with another contract, wrote a record: upgrade this one first."""


class ServiceError(FraudlineError):
    """A broker, a warehouse or another service cannot be reached or refused the work."""


class BrokerError(ServiceError):
    """The Kafka broker cannot be reached, refused the credentials or lacks the topic."""


class WarehouseError(ServiceError):
    """BigQuery cannot be reached, refused the credentials or the request."""


class WarehouseAwayError(WarehouseError):
    """BigQuery does not answer or is over its quota: the same request may succeed later."""


class StreamFinalizedError(WarehouseError):
    """A write stream takes no more rows: another process has taken its writer's place."""


class StreamForgottenError(WarehouseAwayError):
    """BigQuery does not know a write stream any more; a new one can go on after its rows."""


class RegistryError(ServiceError):
    """The registry's object store cannot be reached, refused the credentials or the request."""


class SchemaRegistryError(ServiceError):
    """The schema registry cannot be reached, or refused the credentials or the request."""


class TrackingError(ServiceError):
    """MLflow is not installed, cannot be reached or refused to record: no version depends on it."""


class LocalServiceError(ServiceError):
    """A service of this machine could not be started, stopped or proved healthy."""


class DatasetError(FraudlineError):
    """A public data set could not be fetched, or is not the one that was expected."""


class ProofError(FraudlineError):
    """A check of the whole found a transaction that was lost, doubled or altered."""

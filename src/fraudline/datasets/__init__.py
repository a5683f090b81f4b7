"""Labelled history that a newcomer starts with: public data sets, fetched and checksummed.

Takes: a data set's name. Gives: the path of its file, byte for byte as published, in the
user's cache that every project shares. Never: labels, alters or leaves out a row.
"""

from fraudline.datasets.cache import user_cache
from fraudline.datasets.catalogue import DATASETS, Dataset, find
from fraudline.datasets.fetching import fetch

__all__ = ["DATASETS", "Dataset", "fetch", "find", "user_cache"]

"""Labelled history that a newcomer starts with: public data sets, or made-up payments.

Takes: a data set's name; or a number of rows and a seed. Gives: the path of its file, byte for byte
as published, in the user's cache that every project shares; or a table of payments that nobody
made, by a stated law. Never: labels, alters or leaves out a row of what is published.
"""

from fraudline.datasets.cache import user_cache
from fraudline.datasets.catalogue import DATASETS, Dataset, find
from fraudline.datasets.fetching import fetch
from fraudline.datasets.made_up import made_up_payments

__all__ = ["DATASETS", "Dataset", "fetch", "find", "made_up_payments", "user_cache"]

"""Recipes: the ways of training, one small file each.

A recipe is data and functions that `fraudline.training.train` follows: how to split, balance
and prepare the rows, which network to fit and how long. Never reads or writes anything.
"""

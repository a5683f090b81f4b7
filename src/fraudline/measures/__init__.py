"""Measures: figures of scores and decisions, most of them told against labels.

Takes arrays of scores, labels, amounts and times; gives figures with their intervals. Needs
numpy alone, so that a scoring host, a learner and a page share what training judges by. Never
trains, reads or writes anything.
"""

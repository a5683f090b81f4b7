"""Training: a period of labelled history to a candidate bundle and its report.

Takes an Arrow table of labelled transactions and a recipe; gives a directory with the graph
that scores, the Keras model it was made from, figures, pictures and a page to read. What
learns never sees a test row. Of a version and newly known rows it gives a network that has learned
them, too (`update.py`) or alone (`anew.py`), blocked ones that nobody labelled among them
(`soft_labels.py`). Never reads a table itself, and never promotes.

This page imports nothing, so that looking at the room costs nothing: TensorFlow comes with
`fraudline.training.train`. What it judges by is in `fraudline.measures`.
"""

"""Research: is a factor worth anything? Statistics, labels, back-tests and splits, apart from the sessions that trade.

The rule: what is known at t decides, what can be had after t is the label, and every figure comes with its error.
"""

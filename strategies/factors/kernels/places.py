"""Where a step's kernel finds its things in `p`, and how long `p` and `f` are."""

OUT, A, B, C, STATE, PHASE, WINDOW, N1, N2 = 0, 2, 4, 6, 8, 9, 10, 11, 12
P_LENGTH, F_LENGTH = 13, 4

"""MPI-INF-3DHP: training sequences and test set."""

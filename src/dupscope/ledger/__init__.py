"""Which copies and effects are duplicates: index, case, judge, barrier, coverage. Pure."""

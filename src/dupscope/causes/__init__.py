"""Why a duplicate happened, from evidence. Pure."""

"""Store: what all places that keep state have in common: they may be out of reach."""


class StoreDown(Exception):
    """The store did not decide: not reached, not in time, broken. It is unknown whether what was asked has happened.

    The message says what is wrong and where, without credentials.
    """

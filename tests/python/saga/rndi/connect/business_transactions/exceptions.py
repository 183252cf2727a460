class TransactionException(Exception):
    pass


class InvalidTransaction(TransactionException):
    pass


class TransactionNotSelected(TransactionException):
    pass

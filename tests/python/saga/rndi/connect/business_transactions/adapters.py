from connect.eaas.core.responses import BackgroundResponse  # noqa: F401, the original has it here too
from rndi.connect.business_transactions.contracts import BackgroundTransaction
from rndi.connect.business_transactions.exceptions import InvalidTransaction, TransactionNotSelected


class TupleBackgroundTransaction(BackgroundTransaction):
    def __init__(self, name, predicate, execution, compensation=None):
        self.parts = name, predicate, execution, compensation

    def name(self):
        return self.parts[0]

    def should_execute(self, request):
        return self.parts[1](request)

    def execute(self, request):
        return self.parts[2](request)

    def compensate(self, request, e):
        if self.parts[3] is None:
            raise e
        return self.parts[3](request, e)


def as_transaction(statement):
    if isinstance(statement, BackgroundTransaction):
        return statement
    if isinstance(statement, tuple):
        print(statement)  # so does the original
        return TupleBackgroundTransaction(*statement)
    raise InvalidTransaction('Invalid transaction.')


def select(transactions, request):
    candidates = [as_transaction(statement) for statement in transactions if statement]
    for candidate in candidates:
        if candidate.should_execute(request):
            return candidate
    raise TransactionNotSelected('Unable to select a transaction.')


def prepare(transaction):
    def run(request):
        try:
            return transaction.execute(request)
        except Exception as error:
            return transaction.compensate(request, error)

    return run

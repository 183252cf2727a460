import inspect

from rndi.connect.business_transaction_middleware.middleware import make_middleware_callstack
from rndi.connect.business_transactions.adapters import prepare, select


class DependencyBuildingFailure(Exception):
    pass


class Saga:
    def __init__(self, **bound):
        self.bound = bound

    @classmethod
    def make(cls, config, client, logger, request=None):
        bound = {'config': config, 'client': client, 'logger': logger}
        return cls(**bound) if request is None else cls(**bound, request=request)

    def transactions(self, request):
        raise NotImplementedError

    def middlewares(self, request):
        return []

    def built(self, part):
        if not inspect.isclass(part):
            return part
        # What has a default is never injected.
        parameters = inspect.signature(part).parameters.values()
        names = [one.name for one in parameters if one.default is one.empty]
        missing = [name for name in names if name not in self.bound]
        if missing:
            raise DependencyBuildingFailure(f'{part.__name__} needs {missing[0]}, which nothing provides')
        return part(**{name: self.bound[name] for name in names})

    def resolve(self, request):
        transactions = [self.built(part) for part in self.transactions(request)]
        middlewares = [self.built(part) for part in self.middlewares(request)]
        return make_middleware_callstack(middlewares, prepare(select(transactions, request)))(request)

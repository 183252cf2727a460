def make_middleware_callstack(middlewares, transaction=None):
    def around(middleware, inside):
        return lambda request: middleware(request, inside)

    stack = transaction
    for middleware in reversed(middlewares):
        stack = middleware if stack is None else around(middleware, stack)
    return stack

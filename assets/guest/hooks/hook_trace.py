"""Watches what a task does inside the guest and tells connect-console: the handler, the sagas of the fulfillment framework,
the calls to document stores and the log lines.

It changes nothing: every function it watches is called with what it was called with, and its answer passed on. Where a
developer set a breakpoint or a fault, connect-console answers a step's beginning with what is to become of it.

All state of a task travels in a context variable. The console counts the steps; messages are JSON lines over one loopback
connection a process, each answered, so that what happens in a step is known to be in it.
"""
import asyncio
import contextvars
import functools
import inspect
import json
import os
import re
import socket
import threading
import time

#: (task id, number of the innermost step) of whatever runs now.
PLACE = contextvars.ContextVar('connect_console_place', default=None)
#: The task whose answer the runner is waiting for.
ANSWERING = contextvars.ContextVar('connect_console_answering', default=None)
#: How long the console may take for an answer that does not wait for a developer.
PATIENCE = 5.0
DATA_API = re.compile(r'/action/(insertOne|insertMany|find|findOne|updateOne|updateMany|replaceOne|deleteOne|deleteMany|aggregate)$')

trouble = print


class Aborted(BaseException):
    """A developer ended the delivery at a breakpoint: it passes whatever compensates."""


class InjectedFault(Exception):
    """A developer asked for this failure."""


class Line:
    """The connection to the console."""

    def __init__(self, address, token):
        self.address, self.token = address, token
        self.lock = threading.Lock()
        self.socket = None
        self.last = 0
        self.waiting = {}
        self.broken = False

    def open(self):
        host, _, port = self.address.rpartition(':')
        self.socket = socket.create_connection((host, int(port)), timeout=PATIENCE)
        self.socket.settimeout(None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(json.dumps({'token': self.token}).encode() + b'\n')
        threading.Thread(target=self.listen, args=(self.socket,), daemon=True, name='connect-console').start()

    def listen(self, connection):
        try:
            for line in connection.makefile('rb'):
                answer = json.loads(line)
                entry = self.waiting.get(answer.get('n'))
                if entry is not None:
                    entry[1].update(answer)
                    entry[0].set()
        except (OSError, ValueError):
            pass
        self.give_up()

    def give_up(self):
        self.broken = True
        for entry in list(self.waiting.values()):
            entry[0].set()

    def ask(self, **message):
        """The console's answer, or None where it gives none."""
        if self.broken:
            return None
        event, answer = threading.Event(), {}
        try:
            with self.lock:
                if self.socket is None:
                    self.open()
                self.last += 1
                number = message['n'] = self.last
                self.waiting[number] = (event, answer)
                self.socket.sendall(json.dumps(message, default=str).encode() + b'\n')
        except OSError as error:
            trouble('does not reach the console: %s; the extension runs on without it' % error)
            self.give_up()
            return None
        try:
            if not event.wait(PATIENCE):
                trouble('got no answer from the console for %d s; the extension runs on without it' % PATIENCE)
                self.give_up()
                return None
            # It stands at a breakpoint, or was asked to be late: as long as that takes.
            while answer.get('wait'):
                event.clear()
                if 'verdict' in answer or self.broken:
                    break
                event.wait(60)
            return answer if 'n' in answer else None
        finally:
            self.waiting.pop(number, None)


LINE = Line(os.environ.get('CONNECT_CONSOLE_TRACE', ''), os.environ.get('CONNECT_CONSOLE_TRACE_TOKEN', ''))


def snapshot(request):
    """The request as it is now, as JSON; None for what is no JSON object."""
    if not isinstance(request, dict):
        return None
    try:
        return json.loads(json.dumps(request, default=str))
    except (TypeError, ValueError):
        return None


def report(error):
    """An error in words, with the place in the extension it comes from."""
    frames = []
    frame = error.__traceback__
    while frame is not None:
        if os.path.dirname(frame.tb_frame.f_code.co_filename) != os.path.dirname(__file__):
            frames.append(frame)
        frame = frame.tb_next
    place = ''
    if frames:
        code = frames[-1].tb_frame.f_code
        place = ' (%s line %d)' % (os.path.basename(code.co_filename), frames[-1].tb_lineno)
    return '%s: %s%s' % (type(error).__name__, error, place) if not isinstance(error, (Aborted, InjectedFault)) else str(error)


def words(answer):
    """An answer as the trace shows it: `reschedule in 30 s`, `fail: no licence left`."""
    status = getattr(answer, 'status', None)
    if status is None:
        return 'no answer: %r was returned' % (answer,)
    if status == 'reschedule':
        return 'reschedule in %s s' % getattr(answer, 'countdown', '?')
    output = getattr(answer, 'output', None)
    return '%s: %s' % (status, output) if output and status in ('fail', 'skip') else str(status)


class Step:
    """One step of a task, from its beginning to its end."""

    def __init__(self, kind, name, request=None, task=None):
        self.kind, self.name, self.request = kind, str(name), request
        place = PLACE.get()
        self.task, self.parent = (task, 0) if task is not None else place or (None, 0)
        self.number = 0
        self.verdict = {'verdict': 'run'}

    def __enter__(self):
        self.before = snapshot(self.request)
        if self.task is not None:
            answer = LINE.ask(
                do='begin', task=self.task, parent=self.parent, kind=self.kind, name=self.name, request=self.before,
            )
            if answer:
                self.number = answer.get('step', 0)
                self.verdict = answer.get('verdict') or self.verdict
        self.token = PLACE.set((self.task, self.number or self.parent)) if self.task is not None else None
        self.began = time.monotonic()
        return self

    def __exit__(self, kind, error, traceback):
        if self.token is not None:
            PLACE.reset(self.token)
        if error is not None:
            self.end('failed', report(error))
        return False

    def end(self, outcome, detail=None):
        if self.number:
            micros = int((time.monotonic() - self.began) * 1e6)
            after = snapshot(self.request)
            LINE.ask(
                do='end', task=self.task, step=self.number, outcome=outcome, detail=detail, micros=micros,
                request=after if after != self.before else None,
            )
            self.number = 0

    def go(self):
        """Raises what the developer asked for; whether the step is to run."""
        verdict, reason = self.verdict.get('verdict'), self.verdict.get('reason', '')
        if verdict == 'abort':
            raise Aborted(reason)
        if verdict == 'fail':
            raise InjectedFault(reason)
        return verdict != 'skip'


def name_of(thing):
    """What a transaction calls itself."""
    try:
        return thing.name()
    except Exception:
        return type(thing).__name__


# The framework: selection, preparation, middlewares.

def decided(name, request, predicate):
    with Step('decision', name, request) as step:
        yes = predicate(request) if step.go() else False
        step.end('yes' if yes else 'no')
        return yes


def watch_transactions(module):
    original_select, original_prepare = module.select, module.prepare
    background = module.BackgroundTransaction
    skip = module.BackgroundResponse.skip

    class Watched(background):
        def __init__(self, inner):
            self.inner = inner

        def __getattr__(self, attribute):
            return getattr(self.inner, attribute)

        def name(self):
            return self.inner.name()

        def should_execute(self, request):
            return decided(name_of(self.inner), request, self.inner.should_execute)

        def execute(self, request):
            with Step('execute', name_of(self.inner), request) as step:
                answer = self.inner.execute(request) if step.go() else skip(step.verdict.get('reason'))
                step.end('done', words(answer))
                return answer

        def compensate(self, request, e):
            with Step('compensate', name_of(self.inner), request) as step:
                try:
                    if not step.go():
                        raise e
                    answer = self.inner.compensate(request, e)
                except Exception as error:
                    # To undo and then let the task be delivered again is no failure of the compensation.
                    if error is e:
                        step.end('done', 'passes the error on: ' + report(e))
                    raise
                step.end('done', words(answer))
                return answer

    def watched(statement):
        if isinstance(statement, background):
            return Watched(statement)
        if isinstance(statement, tuple) and len(statement) >= 2 and callable(statement[1]):
            name, predicate, *rest = statement
            asked = functools.wraps(predicate)(lambda request: decided(name, request, predicate))
            return (name, asked, *rest)
        return statement

    @functools.wraps(original_select)
    def select(transactions, request):
        chosen = original_select([watched(one) for one in transactions], request)
        return chosen.inner if isinstance(chosen, Watched) else chosen

    @functools.wraps(original_prepare)
    def prepare(transaction):
        return original_prepare(Watched(transaction))

    module.select, module.prepare = select, prepare


def watch_middlewares(module):
    original = module.make_middleware_callstack

    def watched(middleware):
        if not callable(middleware):
            return middleware
        name = getattr(middleware, '__name__', None) or type(middleware).__name__

        @functools.wraps(middleware, updated=())
        def around(request, *rest):
            called = []

            def noted(call_on):
                @functools.wraps(call_on, updated=())
                def on(*arguments, **keywords):
                    called.append(True)
                    return call_on(*arguments, **keywords)
                return on

            inside = [noted(one) if callable(one) else one for one in rest]
            with Step('middleware', name, request) as step:
                answer = middleware(request, *inside)
                # The classic silent failure: nothing inside was ever asked.
                silent = ' (without calling on)' if inside and not called else ''
                step.end('done', words(answer) + silent)
                return answer
        return around

    @functools.wraps(original)
    def make_middleware_callstack(middlewares, *rest, **keywords):
        if isinstance(middlewares, list):
            middlewares = [watched(one) for one in middlewares]
        return original(middlewares, *rest, **keywords)

    module.make_middleware_callstack = make_middleware_callstack


def watch_saga(module):
    original = module.Saga.resolve

    @functools.wraps(original)
    def resolve(self, request):
        with Step('saga', type(self).__name__, request) as step:
            answer = original(self, request)
            step.end('done', words(answer))
            return answer

    module.Saga.resolve = resolve


# The runner: one step for the handler, and its time limit.

def watch_handlers(module):
    original = module.TasksManagerBase.invoke

    def step_of(task, method):
        scheduled = task.options.task_category == 'scheduled'
        return Step('handler', method.__name__ if scheduled else task.input.event_type, task=task.options.task_id)

    def around(task, method):
        if inspect.iscoroutinefunction(method):
            @functools.wraps(method)
            async def handle(argument):
                try:
                    with step_of(task, method) as step:
                        answer = await method(argument)
                        step.end('done', getattr(answer, 'status', None) or words(answer))
                        return answer
                except Aborted as aborted:
                    raise RuntimeError(str(aborted)) from None
        else:
            @functools.wraps(method)
            def handle(argument):
                try:
                    with step_of(task, method) as step:
                        answer = method(argument)
                        step.end('done', getattr(answer, 'status', None) or words(answer))
                        return answer
                except Aborted as aborted:
                    raise RuntimeError(str(aborted)) from None
        return handle

    @functools.wraps(original)
    async def invoke(self, task_data, method, argument):
        return await original(self, task_data, around(task_data, method), argument)

    module.TasksManagerBase.invoke = invoke


def stood(task):
    """How many seconds a task stood at breakpoints so far, and whether it stands at one now."""
    answer = LINE.ask(do='limit', task=task) or {}
    return answer.get('micros', 0) / 1e6, bool(answer.get('held'))


async def wait_for(future, timeout, **keywords):
    """`asyncio.wait_for` with a limit that does not count the time at breakpoints."""
    task = ANSWERING.get()
    if task is None or timeout is None:
        return await asyncio.wait_for(future, timeout, **keywords)
    future = asyncio.ensure_future(future)
    began, extra = time.monotonic(), 0.0
    try:
        while True:
            left = began + timeout + extra - time.monotonic()
            await asyncio.wait({future}, timeout=max(left, 0.0))
            if future.done():
                return future.result()
            extra_now, held = await asyncio.get_running_loop().run_in_executor(None, stood, task)
            if held:
                await asyncio.wait({future}, timeout=0.25)
            elif extra_now <= extra:
                return await asyncio.wait_for(future, 0)
            extra = extra_now
    except asyncio.CancelledError:
        future.cancel()
        raise


class Patient:
    """The module `asyncio` as the managers of the runner see it."""

    wait_for = staticmethod(wait_for)

    def __getattr__(self, name):
        return getattr(asyncio, name)


def watch_limits(module):
    manager = next(
        one for one in vars(module).values()
        if inspect.isclass(one) and one.__module__ == module.__name__ and 'build_response' in vars(one)
    )
    original = manager.build_response

    @functools.wraps(original)
    async def build_response(self, task_data, future):
        ANSWERING.set(task_data.options.task_id)
        return await original(self, task_data, future)

    manager.build_response = build_response
    module.asyncio = Patient()


# Document stores: the driver, and the Data API over HTTP.

def tell_store(place, backend, operation, database, collection, body, output, error, micros):
    call = {
        'backend': backend, 'operation': operation, 'database': database, 'collection': collection, 'input': body,
        'output': output, 'error': error, 'micros': int(micros),
    }
    LINE.ask(do='store', task=place[0], step=place[1], call=call)


def refused(backend):
    """Why the next write is to fail, if it is."""
    place = PLACE.get()
    if place is None:
        return None
    return (LINE.ask(do='write', task=place[0], step=place[1], backend=backend) or {}).get('fail')


def watch_pymongo(module):
    from bson import json_util

    def extended(value):
        return json.loads(json_util.dumps(value, json_options=json_util.CANONICAL_JSON_OPTIONS))

    def understood(name, command):
        """MongoDB's name of the operation, and its input."""
        if name == 'insert':
            documents = command.get('documents') or []
            return ('insertOne', documents[0]) if len(documents) == 1 else ('insertMany', documents)
        if name == 'update':
            first = (command.get('updates') or [{}])[0]
            replaces = isinstance(first.get('u'), dict) and not any(key.startswith('$') for key in first['u'])
            many = 'updateMany' if first.get('multi') else 'replaceOne' if replaces else 'updateOne'
            return many, first.get('q')
        if name == 'delete':
            first = (command.get('deletes') or [{}])[0]
            return 'deleteOne' if first.get('limit') == 1 else 'deleteMany', first.get('q')
        if name in ('find', 'aggregate', 'count', 'distinct', 'findAndModify'):
            left_out = {name, '$db', 'lsid', '$clusterTime', '$readPreference', 'txnNumber'}
            return name, {key: value for key, value in command.items() if key not in left_out}
        return None, None

    def outcome(name, reply):
        if name in ('find', 'aggregate'):
            return len(reply.get('cursor', {}).get('firstBatch', []))
        return reply.get('n')

    class Listener(module.CommandListener):
        def __init__(self):
            self.begun = {}

        def started(self, event):
            place = PLACE.get()
            operation, body = understood(event.command_name, event.command)
            if place is not None and operation is not None:
                collection = event.command.get(event.command_name)
                self.begun[event.request_id] = (place, operation, event.database_name, str(collection), extended(body))

        def succeeded(self, event):
            begun = self.begun.pop(event.request_id, None)
            if begun is None:
                return
            place, operation, database, collection, body = begun
            errors = event.reply.get('writeErrors')
            error = '; '.join(str(one.get('errmsg')) for one in errors) if errors else None
            output = None
            if not error and operation == 'insertOne':
                output = body.get('_id')
            elif not error:
                output = extended(outcome(event.command_name, event.reply))
            tell_store(place, 'driver', operation, database, collection, body, output, error, event.duration_micros)

        def failed(self, event):
            begun = self.begun.pop(event.request_id, None)
            if begun is not None:
                place, operation, database, collection, body = begun
                error = str(event.failure.get('errmsg') or event.failure)
                tell_store(place, 'driver', operation, database, collection, body, None, error, event.duration_micros)

    module.register(Listener())


WRITES = (
    'insert_one', 'insert_many', 'update_one', 'update_many', 'replace_one', 'delete_one', 'delete_many', 'bulk_write',
    'find_one_and_update', 'find_one_and_replace', 'find_one_and_delete',
)


def spoil_writes(kind):
    def watch(module):
        from pymongo.errors import OperationFailure
        collection = getattr(module, kind)
        if collection.__module__ != module.__name__:
            return

        def spoilt(original):
            if inspect.iscoroutinefunction(original):
                @functools.wraps(original)
                async def write(self, *arguments, **keywords):
                    why = refused('driver')
                    if why:
                        raise OperationFailure(why)
                    return await original(self, *arguments, **keywords)
            else:
                @functools.wraps(original)
                def write(self, *arguments, **keywords):
                    why = refused('driver')
                    if why:
                        raise OperationFailure(why)
                    return original(self, *arguments, **keywords)
            return write

        for name in WRITES:
            if name in vars(collection):
                setattr(collection, name, spoilt(vars(collection)[name]))
    return watch


def data_api_call(url, content):
    """What a request means, if it is one to the Data API and made inside a step."""
    found = DATA_API.search(str(url).split('?')[0])
    if found is None or PLACE.get() is None:
        return None
    try:
        body = json.loads(content)
    except (TypeError, ValueError):
        return None
    operation = found.group(1)
    rest = {key: value for key, value in body.items() if key not in ('dataSource', 'database', 'collection')}
    shown = rest.get('document', rest.get('documents')) if operation.startswith('insert') else rest
    if operation.startswith(('update', 'replace', 'delete')):
        shown = rest.get('filter')
    return operation, str(body.get('database')), str(body.get('collection')), shown


def data_api_answer(operation, status, content):
    try:
        body = json.loads(content)
    except (TypeError, ValueError):
        body = None
    if status >= 400:
        reason = body.get('error') if isinstance(body, dict) else None
        return None, 'HTTP status %d%s' % (status, ': %s' % reason if reason else '')
    if isinstance(body, dict) and operation == 'insertOne':
        return body.get('insertedId'), None
    if isinstance(body, dict) and operation in ('find', 'aggregate'):
        return len(body.get('documents') or []), None
    return body, None


def is_write(call):
    return call[0].startswith(('insert', 'update', 'replace', 'delete'))


def after_data_api(call, began, response=None, error=None):
    operation, database, collection, body = call
    output = None
    if response is not None:
        output, error = data_api_answer(operation, response.status_code, response.content)
    micros = (time.monotonic() - began) * 1e6
    tell_store(PLACE.get(), 'data-api', operation, database, collection, body, output, error, micros)


def watch_httpx(module):
    for client in (module.Client, module.AsyncClient):
        original = client.send

        def sync(original):
            @functools.wraps(original)
            def send(self, request, **keywords):
                call = data_api_call(request.url, request.content)
                if call is None:
                    return original(self, request, **keywords)
                why = refused('data-api') if is_write(call) else None
                began = time.monotonic()
                try:
                    if why:
                        raise module.ConnectError(why, request=request)
                    response = original(self, request, **keywords)
                except module.HTTPError as error:
                    after_data_api(call, began, error=str(error))
                    raise
                after_data_api(call, began, response)
                return response
            return send

        def asynchronous(original):
            @functools.wraps(original)
            async def send(self, request, **keywords):
                call = data_api_call(request.url, request.content)
                if call is None:
                    return await original(self, request, **keywords)
                why = refused('data-api') if is_write(call) else None
                began = time.monotonic()
                try:
                    if why:
                        raise module.ConnectError(why, request=request)
                    response = await original(self, request, **keywords)
                except module.HTTPError as error:
                    after_data_api(call, began, error=str(error))
                    raise
                after_data_api(call, began, response)
                return response
            return send

        client.send = asynchronous(original) if inspect.iscoroutinefunction(original) else sync(original)


def watch_requests(module):
    from requests.exceptions import ConnectionError, RequestException
    original = module.Session.send

    @functools.wraps(original)
    def send(self, request, **keywords):
        call = data_api_call(request.url, request.body)
        if call is None:
            return original(self, request, **keywords)
        why = refused('data-api') if is_write(call) else None
        began = time.monotonic()
        try:
            if why:
                raise ConnectionError(why, request=request)
            response = original(self, request, **keywords)
        except RequestException as error:
            after_data_api(call, began, error=str(error))
            raise
        after_data_api(call, began, response)
        return response

    module.Session.send = send


# Log lines: they are written as always; the console is told beforehand which step the line will be of.

def watch_log_lines():
    import logging
    original = logging.Logger.callHandlers

    @functools.wraps(original)
    def callHandlers(self, record):
        place = PLACE.get()
        if place is not None and record.name.startswith('eaas'):
            try:
                LINE.ask(do='log', task=place[0], step=place[1], logger=record.name, message=record.getMessage())
            except Exception as error:
                trouble('could not follow a log line: %s' % error)
        return original(self, record)

    logging.Logger.callHandlers = callHandlers


WATCHED = {
    'connect.eaas.runner.managers.base': watch_handlers,
    'connect.eaas.runner.managers.background': watch_limits,
    'connect.eaas.runner.managers.interactive': watch_limits,
    'connect.eaas.runner.managers.scheduled': watch_limits,
    'rndi.connect.business_transactions.adapters': watch_transactions,
    'rndi.connect_business_transactions.adapters': watch_transactions,
    'rndi.connect.business_transaction_middleware.middleware': watch_middlewares,
    'rndi.connect_business_transaction_middleware.middleware': watch_middlewares,
    'rndi.connect.devops_fulfillment_framework.application': watch_saga,
    'pymongo.monitoring': watch_pymongo,
    # Where the class is depends on the version.
    'pymongo.collection': spoil_writes('Collection'),
    'pymongo.synchronous.collection': spoil_writes('Collection'),
    'pymongo.asynchronous.collection': spoil_writes('AsyncCollection'),
    'httpx': watch_httpx,
    'requests.sessions': watch_requests,
}


def install(when_imported, say):
    global trouble
    trouble = say
    if not LINE.address:
        raise RuntimeError('CONNECT_CONSOLE_TRACE does not say where the console listens')
    for name, watch in WATCHED.items():
        when_imported(name, watch)
    watch_log_lines()

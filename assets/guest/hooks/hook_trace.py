"""Watches what a task does inside the guest and tells connect-console: the handler, the sagas of the fulfillment framework and
the log lines; `hook_stores.py` adds the calls to document stores.

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
import socket
import threading
import time

#: (task id, number of the innermost step) of whatever runs now.
PLACE = contextvars.ContextVar('connect_console_place', default=None)
#: The task whose answer the runner is waiting for.
ANSWERING = contextvars.ContextVar('connect_console_answering', default=None)
#: How long the console may take for an answer that does not wait for a developer.
PATIENCE = 5.0

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
            if answer.get('wait') and 'verdict' not in answer:
                # Nobody is there any more who could look at it: the step does not run, and the task comes again.
                answer['verdict'] = {'verdict': 'abort', 'reason': 'the console went away while this stood at a breakpoint'}
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


def own(frame):
    """Whether a frame is in the extension's own files."""
    file = frame.tb_frame.f_code.co_filename
    return not file.startswith('<') and not any(part in file for part in ('/site-packages/', '/lib/python'))


def report(error):
    """An error in words, with the place in the extension it comes from, or else in what the extension called."""
    frames = []
    frame = error.__traceback__
    while frame is not None:
        if os.path.dirname(frame.tb_frame.f_code.co_filename) != os.path.dirname(__file__):
            frames.append(frame)
        frame = frame.tb_next
    place = ''
    if frames:
        frame = ([one for one in frames if own(one)] or frames)[-1]
        place = ' (%s line %d)' % (os.path.basename(frame.tb_frame.f_code.co_filename), frame.tb_lineno)
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
        if verdict == 'late':
            time.sleep(reason / 1000)
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
        if not statement:
            return statement
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
}


def install(when_imported, say):
    global trouble
    trouble = say
    if not LINE.address:
        raise RuntimeError('CONNECT_CONSOLE_TRACE does not say where the console listens')
    for name, watch in WATCHED.items():
        when_imported(name, watch)
    watch_log_lines()

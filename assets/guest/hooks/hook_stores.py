"""Watches the calls a task makes to document stores, for the trace: through `pymongo` and `motor`, and to the Data API through
`httpx` and `requests`. Where a developer asked for it, the next write fails as if the store had refused it.
"""
import functools
import inspect
import json
import re
import time

import connect_console_hook_trace as trace

DATA_API = re.compile(r'/action/(insertOne|insertMany|find|findOne|updateOne|updateMany|replaceOne|deleteOne|deleteMany|aggregate)$')


def tell_store(place, backend, operation, database, collection, body, output, error, micros):
    call = {
        'backend': backend, 'operation': operation, 'database': database, 'collection': collection, 'input': body,
        'output': output, 'error': error, 'micros': int(micros),
    }
    trace.LINE.ask(do='store', task=place[0], step=place[1], call=call)


def refused(backend):
    """Why the next write is to fail, if it is."""
    place = trace.PLACE.get()
    if place is None:
        return None
    return (trace.LINE.ask(do='write', task=place[0], step=place[1], backend=backend) or {}).get('fail')


def extended(value):
    """A value as Extended JSON."""
    from bson import json_util
    return json.loads(json_util.dumps(value, json_options=json_util.CANONICAL_JSON_OPTIONS))


def watch_pymongo(module):
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
            place = trace.PLACE.get()
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


def refuse(collection, method, arguments, keywords):
    """What a write raises that is to fail, if it is. No command is sent, so the listener does not hear of it."""
    from pymongo.errors import OperationFailure
    why = refused('driver')
    if not why:
        return None
    first, *rest = method.split('_')
    operation = 'findAndModify' if first == 'find' else first + ''.join(word.capitalize() for word in rest)
    named = (keywords[name] for name in ('document', 'documents', 'filter') if name in keywords)
    given = arguments[0] if arguments else next(named, None)
    try:
        body = None if method == 'bulk_write' else extended(given)
    except (TypeError, ValueError):
        body = None
    tell_store(trace.PLACE.get(), 'driver', operation, collection.database.name, collection.name, body, None, why, 0)
    return OperationFailure(why)


def spoil_writes(kind):
    def watch(module):
        collection = getattr(module, kind)
        if collection.__module__ != module.__name__:
            return

        def spoilt(method, original):
            if inspect.iscoroutinefunction(original):
                @functools.wraps(original)
                async def write(self, *arguments, **keywords):
                    error = refuse(self, method, arguments, keywords)
                    if error:
                        raise error
                    return await original(self, *arguments, **keywords)
            else:
                @functools.wraps(original)
                def write(self, *arguments, **keywords):
                    error = refuse(self, method, arguments, keywords)
                    if error:
                        raise error
                    return original(self, *arguments, **keywords)
            return write

        for name in WRITES:
            if name in vars(collection):
                setattr(collection, name, spoilt(name, vars(collection)[name]))
    return watch


def data_api_call(url, content):
    """What a request means, if it is one to the Data API and made inside a step."""
    found = DATA_API.search(str(url).split('?')[0])
    if found is None or trace.PLACE.get() is None:
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
    tell_store(trace.PLACE.get(), 'data-api', operation, database, collection, body, output, error, micros)


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


def install(when_imported, trouble):
    if not hasattr(trace, 'LINE'):
        # It could not be loaded, and said so.
        return
    when_imported('pymongo.monitoring', watch_pymongo)
    # Where the class is depends on the version.
    when_imported('pymongo.collection', spoil_writes('Collection'))
    when_imported('pymongo.synchronous.collection', spoil_writes('Collection'))
    when_imported('pymongo.asynchronous.collection', spoil_writes('AsyncCollection'))
    when_imported('httpx', watch_httpx)
    when_imported('requests.sessions', watch_requests)

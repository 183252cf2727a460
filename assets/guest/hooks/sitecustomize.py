"""Loads connect-console's hooks into every Python process of the guest, then the sitecustomize it stands before.

`CONNECT_CONSOLE_HOOKS` names them, with commas between. A hook is a file `hook_NAME.py` beside this one with a function
`install(when_imported, trouble)`; `when_imported(module, then)` calls `then(module)` once that module is loaded, or at once if
it is; `trouble(what)` says what went wrong. Nothing is imported before the extension imports it. A hook that fails is one line
on stderr, in the form of the official runner's log, said once by all the guest's processes: the extension runs on.
"""
import importlib.machinery
import importlib.util
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))


class Then:
    """A module's own loader, and what to do when it is done."""

    def __init__(self, loader, calls):
        self.loader = loader
        self.calls = calls

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        # Nobody shall notice that it was loaded in a roundabout way.
        module.__loader__ = module.__spec__.loader = self.loader
        self.loader.exec_module(module)
        for call in self.calls:
            call(module)


class Finder:
    """Finds modules somebody waits for, by asking the other finders."""

    def __init__(self):
        self.waiting = {}

    def when_imported(self, name, then):
        if name in sys.modules:
            then(sys.modules[name])
        else:
            self.waiting.setdefault(name, []).append(then)

    def find_spec(self, name, path=None, target=None):
        if name not in self.waiting:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, 'find_spec'):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if hasattr(spec.loader, 'exec_module'):
                    spec.loader = Then(spec.loader, self.waiting.pop(name))
                return spec
        return None


class Voice:
    """How a hook says that something is wrong: each thing once, in whichever process of the guest it happens first."""

    KEY = 'CONNECT_CONSOLE_HOOK_TROUBLE'

    def __init__(self, hook):
        self.hook = hook

    def __call__(self, what):
        line = 'the %s hook %s' % (self.hook, ' '.join(str(what).split()))
        known = os.environ.get(self.KEY, '').split('\n')
        if line in known:
            return
        os.environ[self.KEY] = '\n'.join([*known, line])
        now = time.time()
        stamp = time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(now)) + ',%03d' % (now * 1000 % 1000)
        sys.stderr.write('%s connect_console.hook WARNING PID_%d %s\n' % (stamp, os.getpid(), line))
        sys.stderr.flush()


def where(error):
    """An error in words, with the place it comes from."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = '' if frame is None else ' (%s line %d)' % (frame.tb_frame.f_code.co_filename, frame.tb_lineno)
    return '%s: %s%s' % (type(error).__name__, error, place)


def load(name, file):
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def main():
    finder = Finder()
    sys.meta_path.insert(0, finder)
    for name in filter(None, os.environ.get('CONNECT_CONSOLE_HOOKS', '').split(',')):
        file = os.path.join(HERE, f'hook_{name}.py')
        voice = Voice(name)

        def when_imported(module, then, voice=voice):
            def guarded(loaded):
                try:
                    then(loaded)
                except Exception as error:
                    voice(f'could not watch {module}: {where(error)}; the extension runs without that')
            finder.when_imported(module, guarded)

        try:
            load(f'connect_console_hook_{name}', file).install(when_imported, voice)
        except Exception as error:
            voice(f'could not be loaded: {where(error)}; the extension runs without it')
    others = [path for path in sys.path if os.path.abspath(path) != HERE]
    hidden = importlib.machinery.PathFinder.find_spec('sitecustomize', others)
    if hidden is not None and hidden.origin:
        load('sitecustomize', hidden.origin)


main()

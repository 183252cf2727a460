"""Loads connect-console's hooks into every Python process of the guest, then the sitecustomize it stands before.

`CONNECT_CONSOLE_HOOKS` names them, with commas between. A hook is a file `hook_NAME.py` beside this one with a function
`install(when_imported)`; `when_imported(module, then)` calls `then(module)` once that module is loaded, or at once if it is.
Nothing is imported before the extension imports it. A hook that fails is reported and left out: the extension runs on.
"""
import importlib.machinery
import importlib.util
import os
import sys
import traceback

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
            guarded(call, module)


class Finder:
    """Finds modules somebody waits for, by asking the other finders."""

    def __init__(self):
        self.waiting = {}

    def when_imported(self, name, then):
        if name in sys.modules:
            guarded(then, sys.modules[name])
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


def guarded(call, *arguments):
    try:
        call(*arguments)
    except Exception:
        sys.stderr.write('connect-console: a hook of the console failed, the extension runs without it\n')
        traceback.print_exc()


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
        guarded(lambda: load(f'connect_console_hook_{name}', file).install(finder.when_imported))
    others = [path for path in sys.path if os.path.abspath(path) != HERE]
    hidden = importlib.machinery.PathFinder.find_spec('sitecustomize', others)
    if hidden is not None and hidden.origin:
        load('sitecustomize', hidden.origin)


main()

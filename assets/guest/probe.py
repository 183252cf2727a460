"""Says what connect-console must know of a Python environment and of the project in it, as one line of JSON.

Usage: python probe.py PROJECT. Imports nothing of the project.
"""
import importlib.util
import json
import os
import re
import sys
from importlib import metadata

GROUP = 'connect.eaas.ext'
IN_SETUP_PY = re.compile(r'''['"]\s*(extension|eventsapp|webapp|anvilapp|tfnapp)\s*=\s*([\w.]+:\w+)\s*['"]''')


def load_toml(path):
    for name in ('tomllib', 'tomli', 'pip._vendor.tomli'):
        try:
            toml = importlib.import_module(name)
        except ImportError:
            continue
        with open(path, 'rb') as file:
            return toml.load(file)
    return {}


def declared(project):
    """Name, version and entry points as the project's own files have them, as far as they can be read."""
    found = {'name': None, 'version': None, 'entry_points': {}}

    def note(name, version, entry_points):
        found['name'] = found['name'] or name
        found['version'] = found['version'] or version
        found['entry_points'] = found['entry_points'] or dict(entry_points or {})

    def pyproject(path):
        data = load_toml(path)
        standard = data.get('project', {})
        note(standard.get('name'), standard.get('version'), standard.get('entry-points', {}).get(GROUP))
        poetry = data.get('tool', {}).get('poetry', {})
        note(poetry.get('name'), poetry.get('version'), poetry.get('plugins', {}).get(GROUP))

    def setup_cfg(path):
        import configparser
        config = configparser.ConfigParser(interpolation=None)
        config.read(path, encoding='utf-8')
        lines = config.get('options.entry_points', GROUP, fallback='').splitlines()
        pairs = [tuple(part.strip() for part in line.split('=', 1)) for line in lines if '=' in line]
        note(config.get('metadata', 'name', fallback=None), config.get('metadata', 'version', fallback=None), pairs)

    def setup_py(path):
        with open(path, encoding='utf-8') as file:
            text = file.read()
        note(None, None, IN_SETUP_PY.findall(text) if GROUP in text else None)

    readers = {'pyproject.toml': pyproject, 'setup.cfg': setup_cfg, 'setup.py': setup_py}
    for name, read in readers.items():
        path = os.path.join(project, name)
        if os.path.isfile(path):
            try:
                read(path)
            except Exception as error:
                found['problem'] = f'{name}: {error}'
    return found


def module_file(module, roots):
    """The file of a module below one of the directories."""
    path = module.replace('.', os.sep)
    for root in roots:
        for candidate in (os.path.join(root, path + '.py'), os.path.join(root, path, '__init__.py')):
            if os.path.isfile(candidate):
                return candidate
    return None


def installed_file(module):
    """The file an import would take, found without importing anything of the extension."""
    top, _, rest = module.partition('.')
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if not rest:
        return spec.origin
    return module_file(rest, spec.submodule_search_locations or [])


def installed():
    points = metadata.entry_points()
    points = points.select(group=GROUP) if hasattr(points, 'select') else points.get(GROUP, [])
    rows = []
    for point in points:
        dist = getattr(point, 'dist', None)
        rows.append({
            'name': point.name,
            'value': point.value,
            'file': installed_file(point.value.split(':')[0].strip()),
            'distribution': dist.metadata['Name'] if dist else None,
            'version': dist.version if dist else None,
        })
    return rows


def runner():
    try:
        dist = metadata.distribution('connect-extension-runner')
    except metadata.PackageNotFoundError:
        return None
    scripts = [file.locate() for file in dist.files or [] if file.name in ('cextrun', 'cextrun.exe')]
    script = next((os.path.abspath(script) for script in scripts if os.path.isfile(script)), None)
    return {'version': dist.version, 'script': script}


def certificates():
    try:
        import certifi
        return certifi.where()
    except ImportError:
        import ssl
        return ssl.get_default_verify_paths().cafile


def main():
    project = sys.argv[-1]
    own = declared(project)
    sources = {}
    for root in (project, os.path.join(project, 'src')):
        files = {name: module_file(value.split(':')[0].strip(), [root]) for name, value in own['entry_points'].items()}
        if files and all(files.values()):
            sources = {'root': root}
            break
    print(json.dumps({
        'python': '.'.join(map(str, sys.version_info[:3])),
        'executable': sys.executable,
        'runner': runner(),
        'certificates': certificates(),
        'declared': own,
        'installed': installed(),
        'source_root': sources.get('root'),
    }))


if __name__ == '__main__':
    main()

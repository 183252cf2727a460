"""Stands in for the official runner where a test is about starting and stopping: it writes as that one does, and then
does what `behaviour.py` of the project says."""
import os
import sys


def log(level, message):
    sys.stderr.write(f'2026-01-02 03:04:05,678 connect.eaas.runner {level} PID_{os.getpid()} {message}\n')


log('INFO', f'arguments {sys.argv[1:]}')
log('INFO', 'BackgroundEventsWorker connected to ws://' + os.environ['SERVER_ADDRESS'])
with open('behaviour.py') as file:
    exec(compile(file.read(), 'behaviour.py', 'exec'))

"""Runs the official runner as its own command would, on a leash.

connect-console holds the other end of the standard input. When that is closed, because connect-console was killed,
everything in this process group is ended: first asked to, ten seconds later made to. Who sees to that ends with them.
"""
import os
import runpy
import signal
import subprocess
import sys
import threading

# Looks ten times a second whether somebody of the group is left.
LAST = '''
looks=0
while kill -s 0 -- "$1" 2>/dev/null; do
  [ $looks -lt 100 ] || { kill -s KILL -- "$1"; exit; }
  looks=$((looks + 1))
  sleep 0.1
done
'''


def leash():
    try:
        while os.read(0, 1024):
            pass
    except OSError:
        pass
    # A process of its own, in a group of its own: this one will be gone by then.
    subprocess.Popen(['/bin/sh', '-c', LAST, 'sh', '-%d' % os.getpgrp()], stdin=subprocess.DEVNULL, start_new_session=True)
    os.killpg(os.getpgrp(), signal.SIGTERM)


if __name__ == '__main__':
    threading.Thread(target=leash, daemon=True).start()
    del sys.argv[0]
    command = sys.argv[0]
    if os.path.isfile(command):
        # As when Python starts the script itself.
        sys.path[0] = os.path.dirname(command)
        runpy.run_path(command, run_name='__main__')
    else:
        del sys.path[0]
        runpy.run_module('connect.eaas.runner.main', run_name='__main__', alter_sys=True)

"""Runs the official runner as its own command would, on a leash.

connect-console holds the other end of the standard input. When that is closed, because connect-console was killed,
everything in this process group is ended: first asked to, ten seconds later made to; then what has left the group, which
the mark in its environment tells. Who sees to that ends with them.
"""
import os
import runpy
import signal
import subprocess
import sys
import threading

MARK = 'CONNECT_CONSOLE_RUNNER'

# Looks ten times a second whether somebody is left, of the group and then of those who bear the mark.
LAST = '''
group=$1 mark=$2 looks=0
while kill -s 0 -- "$group" 2>/dev/null; do
  [ $looks -lt 100 ] || { kill -s KILL -- "$group"; break; }
  looks=$((looks + 1))
  sleep 0.1
done
[ -n "$mark" ] || exit
looks=0
while left=$(grep -lszx -F "$mark" /proc/[0-9]*/environ | cut -d / -f 3) && [ -n "$left" ] && [ $looks -lt 40 ]; do
  case $looks in 0) kill -s TERM $left ;; 20) kill -s KILL $left ;; esac
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
    unmarked = dict(os.environ)
    mark = unmarked.pop(MARK, '')
    command = ['/bin/sh', '-c', LAST, 'sh', '-%d' % os.getpgrp(), mark and MARK + '=' + mark]
    subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, env=unmarked)
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

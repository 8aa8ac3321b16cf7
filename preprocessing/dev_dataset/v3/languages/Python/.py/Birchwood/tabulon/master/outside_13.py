# -*- coding: utf-8 -*-
'''Tables that come from elsewhere: the clipboard, a pipe or a web address.'''
from __future__ import absolute_import, division, print_function

import subprocess
import sys

try:
    from urllib.request import Request, urlopen
except ImportError:
    from urllib2 import Request, urlopen

CLIPBOARD_PROGRAMS = {
    'darwin': ['pbpaste'],
    'linux': ['xclip', '-selection', 'clipboard', '-out'],
    'win32': ['powershell', '-command', 'Get-Clipboard'],
}
MAX_BYTES = 20 * 1024 * 1024


class SourceError(IOError):
    '''Nothing could be read from where the user pointed.'''


def decode(data):
    '''Text of bytes in one of the encodings that spreadsheets write.'''
    for encoding in ('utf-8-sig', 'cp1252'):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode('latin-1')


def from_clipboard(platform=sys.platform):
    for prefix, command in CLIPBOARD_PROGRAMS.items():
        if platform.startswith(prefix):
            try:
                return decode(subprocess.check_output(command))
            except (OSError, subprocess.CalledProcessError) as error:
                raise SourceError('cannot read the clipboard: %s' % error)
    raise SourceError('no clipboard on %s' % platform)


def from_url(url, timeout=30):
    request = Request(url, headers={'Accept': 'text/csv, text/plain;q=0.5'})
    response = urlopen(request, timeout=timeout)
    data = response.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise SourceError('%s holds more than %d bytes' % (url, MAX_BYTES))
    return decode(data)


def open_source(name):
    '''`-` is the standard input, `clip:` the clipboard, all else a path or a URL.'''
    if name == '-':
        return decode(getattr(sys.stdin, 'buffer', sys.stdin).read())
    if name == 'clip:':
        return from_clipboard()
    if name.startswith(('http://', 'https://')):
        return from_url(name)
    with open(name, 'rb') as stream:
        return decode(stream.read())

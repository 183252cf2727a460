"""`mongodb+srv` in a process with the console's hook, against the sandbox whose access is on the standard input."""
import asyncio
import json
import os
import socket
import sys
from urllib.parse import urlsplit

import certifi
import dns.asyncresolver
import dns.exception
import dns.resolver
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import AsyncMongoClient, MongoClient

access = json.load(sys.stdin)
HOST, PORT = os.environ['CONNECT_CONSOLE_SANDBOX_HOST'], int(os.environ['CONNECT_CONSOLE_SANDBOX_PORT'])
where = urlsplit(access['mongodb'])
URI = f'mongodb+srv://{where.username}:{where.password}@{HOST}/'

# Nobody answers at this one: what it knows it has from the hook.
resolver = dns.resolver.Resolver(configure=False)
resolver.nameservers, resolver.port = ['127.0.0.1'], 9
service = resolver.resolve(f'_mongodb._tcp.{HOST}.', 'SRV')
assert [(r.target.to_text(), r.port) for r in service] == [(f'{HOST}.', PORT)]
assert [r.strings for r in resolver.resolve(qname=HOST.upper(), rdtype='TXT')] == [(b'authSource=admin',)]
assert [r.address for r in resolver.resolve(HOST)] == ['127.0.0.1']
for name, kind in ((f'_mongodb._tcp.other.{HOST}', 'SRV'), (f'_mongodb._tcp.x{HOST}', 'SRV'), (f'_http._tcp.{HOST}', 'SRV')):
    try:
        found = resolver.resolve(name, kind, lifetime=1)
    except (dns.exception.Timeout, dns.resolver.NoNameservers):
        continue
    raise AssertionError(f'{name} is answered: {found}')
try:
    resolver.resolve(HOST, 'AAAA')
except dns.resolver.NoAnswer:
    pass
else:
    raise AssertionError('there is no such record')
assert socket.getaddrinfo('localhost', 5, type=socket.SOCK_STREAM)[0][4][1] == 5
assert certifi.where() == os.environ['SSL_CERT_FILE']

with MongoClient(URI) as client:
    assert client.options.pool_options._ssl_context is not None
    client.srv.orders.insert_one({'_id': 1})
with MongoClient(URI, tlsCAFile=certifi.where()) as client:
    assert client.srv.orders.find_one() == {'_id': 1}


async def both():
    assert [r.port for r in await dns.asyncresolver.resolve(f'_mongodb._tcp.{HOST}', 'SRV')] == [PORT]
    motor = AsyncIOMotorClient(URI)
    assert await motor.srv.orders.find_one() == {'_id': 1}
    motor.close()
    async with AsyncMongoClient(URI) as client:
        assert await client.srv.orders.find_one() == {'_id': 1}


asyncio.run(both())
try:
    import uvloop
except ImportError:
    pass
else:
    uvloop.install()
    asyncio.run(both())
print('all as it should be')

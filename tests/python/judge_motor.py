"""What an extension does with Motor and with PyMongo's own asyncio client, on asyncio's loop and on uvloop."""
import asyncio
import json
import sys

import motor
import pymongo
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import AsyncMongoClient

access = json.load(sys.stdin)


async def with_motor(name):
    client = AsyncIOMotorClient(access['mongodb'])
    requests = client[name].requests
    inserted = await requests.insert_one({'_id': 'PR-1', 'params': [{'id': 'a', 'value': None}]})
    assert inserted.inserted_id == 'PR-1'
    await asyncio.gather(*(requests.insert_one({'n': n}) for n in range(100)))
    assert await requests.count_documents({'n': {'$gte': 50}}) == 50
    seen = [document['n'] async for document in requests.find({'n': {'$exists': True}}).sort('n', -1).batch_size(9)]
    assert seen == list(range(99, -1, -1))
    totals = await requests.aggregate([{'$group': {'_id': None, 'sum': {'$sum': '$n'}}}]).to_list(None)
    assert totals == [{'_id': None, 'sum': 4950}]
    await client.drop_database(name)
    assert name not in await client.list_database_names()
    client.close()


async def with_pymongo(name):
    async with AsyncMongoClient(access['mongodb'], tls=True, tlsCAFile=access['ca_file']) as client:
        requests = client[name].requests
        await requests.insert_many([{'_id': n} for n in range(300)])
        assert [d['_id'] async for d in requests.find({}, batch_size=50).sort('_id', 1)] == list(range(300))
        changed = await requests.update_many({'_id': {'$lt': 10}}, {'$set': {'few': True}})
        assert changed.modified_count == 10
        assert await requests.count_documents({'few': True}) == 10
        await client.drop_database(name)


asyncio.run(with_motor('motor'))
asyncio.run(with_pymongo('asyncio'))
try:
    import uvloop
except ImportError:
    pass
else:
    uvloop.install()
    asyncio.run(with_motor('motor_uvloop'))
    asyncio.run(with_pymongo('asyncio_uvloop'))
print(f'all as it should be, say Motor {motor.version} and PyMongo {pymongo.version}')

"""What an application does with PyMongo, against the sandbox whose access is on the standard input."""
import datetime
import json
import sys
import threading
import uuid
from decimal import Decimal

import bson
import pymongo
from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from pymongo import ASCENDING, DESCENDING, DeleteMany, InsertOne, MongoClient, ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError, InvalidOperation, OperationFailure, ServerSelectionTimeoutError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

access = json.load(sys.stdin)


def raises(error, call, code=None):
    try:
        call()
    except error as raised:
        assert code is None or raised.code == code, (raised.code, code, raised)
        return raised
    raise AssertionError(f'{error.__name__} was expected')


client = MongoClient(access['mongodb'])
# Compression is offered, not agreed on, and not used.
assert MongoClient(access['mongodb'], compressors='zlib').admin.command('ping')['ok'] == 1
shop = client.shop
orders = shop.orders

# Documents in, changed, out.
first = orders.insert_one({'item': 'pen', 'qty': 5, 'tags': ['blue', 'fine'], 'size': {'h': 14, 'w': 1}}).inserted_id
assert isinstance(first, ObjectId)
orders.insert_many([{'item': f'paper {n}', 'qty': n, 'tags': ['a4'], 'lines': [{'sku': n, 'n': 2 * n}]} for n in range(300)])
assert orders.count_documents({}) == 301 and orders.estimated_document_count() == 301
assert orders.find_one({'size.h': {'$gte': 14}})['_id'] == first
assert orders.count_documents({'lines': {'$elemMatch': {'sku': {'$gt': 10}, 'n': {'$lt': 40}}}}) == 9
assert [d['qty'] for d in orders.find({'qty': {'$in': [1, 2, 3]}}, {'qty': 1, '_id': 0}).sort([('qty', DESCENDING)])] == [3, 2, 1]
assert len(list(orders.find({}, batch_size=7))) == 301
assert orders.find({'item': {'$regex': '^PAPER 1', '$options': 'i'}}).to_list()[0]['item'] == 'paper 1'
assert sorted(orders.distinct('tags')) == ['a4', 'blue', 'fine']
changed = orders.update_one({'_id': first}, {'$inc': {'qty': 2}, '$push': {'tags': {'$each': ['x', 'y'], '$slice': -3}}})
assert (changed.matched_count, changed.modified_count) == (1, 1)
assert orders.find_one({'_id': first})['tags'] == ['fine', 'x', 'y']
upserted = orders.update_one({'item': 'ink'}, {'$set': {'qty': 1}, '$setOnInsert': {'new': True}}, upsert=True)
assert upserted.upserted_id is not None and orders.find_one({'item': 'ink'})['new'] is True
after = orders.find_one_and_update({'item': 'ink'}, {'$set': {'qty': 9}}, return_document=ReturnDocument.AFTER)
assert after['qty'] == 9
assert orders.find_one_and_delete({'item': 'ink'})['qty'] == 9
assert orders.replace_one({'_id': first}, {'item': 'pencil'}).modified_count == 1
orders.update_many({'lines.sku': {'$lt': 3}}, {'$set': {'lines.$[line].few': True}}, array_filters=[{'line.n': {'$lt': 5}}])
assert orders.count_documents({'lines.few': True}) == 3

# Bulk writes, ordered and not.
done = orders.bulk_write([InsertOne({'_id': 1}), UpdateOne({'_id': 1}, {'$set': {'a': 1}}), DeleteMany({'qty': {'$lt': 5}})])
assert (done.inserted_count, done.modified_count, done.deleted_count) == (1, 1, 5)
failed = raises(BulkWriteError, lambda: orders.bulk_write([InsertOne({'_id': 1}), InsertOne({'_id': 2})], ordered=False))
assert failed.details['nInserted'] == 1 and failed.details['writeErrors'][0]['code'] == 11000

# Indexes: unique, compound, partial; names as everywhere.
assert orders.create_index([('item', ASCENDING), ('qty', DESCENDING)]) == 'item_1_qty_-1'
shop.users.create_index('email', unique=True)
shop.users.insert_one({'email': 'a@example'})
duplicate = raises(DuplicateKeyError, lambda: shop.users.insert_one({'email': 'a@example'}), 11000)
assert duplicate.details['keyPattern'] == {'email': 1} and duplicate.details['keyValue'] == {'email': 'a@example'}
assert set(orders.index_information()) == {'_id_', 'item_1_qty_-1'}
plan = orders.find({'item': 'paper 9'}).explain()
assert 'IXSCAN' in json.dumps(plan, default=str), plan
shop.sessions.create_index('at', expireAfterSeconds=3600)
assert shop.sessions.index_information()['at_1']['expireAfterSeconds'] == 3600

# Aggregation.
groups = list(orders.aggregate([
    {'$match': {'qty': {'$gte': 10}}},
    {'$group': {'_id': {'$mod': ['$qty', 2]}, 'n': {'$sum': 1}, 'most': {'$max': '$qty'}}},
    {'$sort': {'_id': 1}},
]))
assert groups == [{'_id': 0, 'n': 145, 'most': 298}, {'_id': 1, 'n': 145, 'most': 299}], groups
shop.items.insert_many([{'_id': n, 'name': f'thing {n}'} for n in range(20)])
joined = list(orders.aggregate([
    {'$match': {'qty': 12}},
    {'$unwind': '$lines'},
    {'$lookup': {'from': 'items', 'localField': 'lines.sku', 'foreignField': '_id', 'as': 'thing'}},
    {'$project': {'_id': 0, 'name': {'$arrayElemAt': ['$thing.name', 0]}}},
]))
assert joined == [{'name': 'thing 12'}], joined
facets = list(orders.aggregate([{'$facet': {'few': [{'$limit': 2}], 'all': [{'$count': 'n'}]}}]))[0]
assert len(facets['few']) == 2 and facets['all'][0]['n'] == orders.count_documents({})

# Every type comes back as it went.
whole = {
    '_id': 'types', 'double': 1.5, 'text': 'ß\u0000ü', 'sub': {'a': [1, None, {}]}, 'binary': Binary(b'\x00\xff', 5),
    'uuid': Binary.from_uuid(uuid.UUID(int=7)), 'oid': ObjectId(), 'true': True, 'regex': Regex('^a', 'i'),
    'code': Code('1'), 'scope': Code('1', {'x': 1}), 'int': 1, 'timestamp': Timestamp(5, 6), 'long': Int64(1 << 40),
    'date': datetime.datetime(2024, 2, 29, 12, 30, 1, 5000), 'decimal': Decimal128(Decimal('1.10')), 'min': MinKey(), 'max': MaxKey(),
}
shop.types.insert_one(whole)
assert shop.types.find_one() == whole
assert bson.encode(shop.types.find_one()) == bson.encode(whole)

# Sessions, concerns, unacknowledged writes.
with client.start_session() as session:
    orders.insert_one({'_id': 'in a session'}, session=session)
    assert orders.find_one({'_id': 'in a session'}, session=session)
    # MongoDB's own answer of a server that is no member of a replica set.
    session.start_transaction()
    raises(OperationFailure, lambda: orders.insert_one({'a': 1}, session=session), 20)
strict = orders.with_options(write_concern=WriteConcern(w='majority', j=True), read_concern=ReadConcern('majority'))
strict.insert_one({'_id': 'strict'})
loose = orders.with_options(write_concern=WriteConcern(w=0))
assert loose.insert_one({'_id': 'loose'}).acknowledged is False
deadline = datetime.datetime.now() + datetime.timedelta(seconds=20)
while orders.find_one({'_id': 'loose'}) is None:
    assert datetime.datetime.now() < deadline, 'an unacknowledged write never arrived'

# Collections and databases.
assert {'orders', 'users', 'types', 'items', 'sessions'} <= set(shop.list_collection_names())
assert 'shop' in client.list_database_names()
shop.items.rename('things')
assert shop.things.count_documents({}) == 20
raises(OperationFailure, lambda: shop.create_collection('users', check_exists=False), 48)
assert shop.command('dbStats')['collections'] >= 5
shop.things.drop()
assert 'things' not in shop.list_collection_names()

# A cursor somebody else's client has not: by name.
raises(OperationFailure, lambda: client.shop.command('getMore', Int64(4711), collection='orders'), 43)
raises(OperationFailure, lambda: shop.command('noSuchCommand'), 59)
raises(OperationFailure, lambda: next(orders.watch()), 40573)

# Threads share a client.
def work(n):
    for m in range(25):
        shop.counters.update_one({'_id': 'all'}, {'$inc': {'n': 1}}, upsert=True)
threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
[t.start() for t in threads], [t.join() for t in threads]
assert shop.counters.find_one({'_id': 'all'})['n'] == 200

# Over TLS on the same port, for who trusts the authority only.
tls = MongoClient(access['mongodb'], tls=True, tlsCAFile=access['ca_file'])
assert tls.shop.orders.find_one({'_id': 1})['a'] == 1
large = {'_id': 'large', 'text': 'x' * (15 << 20)}
tls.shop.large.insert_many([large, {**large, '_id': 'too'}, {**large, '_id': 'three'}])
assert [len(document['text']) for document in tls.shop.large.find(batch_size=3)] == [15 << 20] * 3
raises(pymongo.errors.DocumentTooLarge, lambda: tls.shop.large.insert_one({'text': 'x' * (17 << 20)}))
stranger = MongoClient(access['mongodb'], tls=True, serverSelectionTimeoutMS=1500)
untrusted = raises(ServerSelectionTimeoutError, lambda: stranger.shop.orders.find_one())
assert 'CERTIFICATE_VERIFY_FAILED' in str(untrusted), untrusted

# Who does not know the password.
wrong = MongoClient(access['mongodb'].split('@')[1].join(['mongodb://console:wrong@', '']), serverSelectionTimeoutMS=3000)
raises(OperationFailure, lambda: wrong.shop.orders.find_one(), 18)
nobody = MongoClient('mongodb://' + access['mongodb'].split('@')[1].split('/')[0], serverSelectionTimeoutMS=3000)
raises(OperationFailure, lambda: nobody.shop.orders.find_one(), 13)

client.close()
raises(InvalidOperation, lambda: orders.find_one())
print(f'all as it should be, says PyMongo {pymongo.version}')

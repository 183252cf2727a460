// What an application does with the Node driver, against the sandbox whose access is on the standard input.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'

const require = createRequire(process.env.CONNECT_CONSOLE_TEST_NODE + '/node_modules/')
const { MongoClient, ObjectId, Long, Decimal128, Binary, Timestamp, MinKey } = require('mongodb')
const access = JSON.parse(readFileSync(0, 'utf8'))
const code = number => error => { assert.equal(error.code, number, `${error}`); return true }

const client = await new MongoClient(access.mongodb).connect()
const shop = client.db('shop')
await shop.dropDatabase()
const orders = shop.collection('orders')

const { insertedId } = await orders.insertOne({ item: 'pen', qty: 5, tags: ['blue'], size: { h: 14 } })
assert(insertedId instanceof ObjectId)
const many = await orders.insertMany(Array.from({ length: 250 }, (_, n) => ({ _id: n, qty: n, lines: [{ sku: n, n: 2 * n }] })))
assert.equal(many.insertedCount, 250)
assert.equal(await orders.countDocuments({ qty: { $gte: 200 } }), 50)
assert.equal(await orders.estimatedDocumentCount(), 251)
assert.deepEqual(await orders.find({ _id: { $in: [1, 2, 3] } }).project({ qty: 1, _id: 0 }).sort({ qty: -1 }).toArray(), [{ qty: 3 }, { qty: 2 }, { qty: 1 }])
let seen = 0
for await (const _ of orders.find({}, { batchSize: 20 })) seen += 1
assert.equal(seen, 251)
const early = orders.find({}, { batchSize: 2 })
assert(await early.next())
await early.close() // killCursors

const updated = await orders.updateMany({ 'lines.sku': { $lt: 3 } }, { $inc: { 'lines.$[l].n': 1 } }, { arrayFilters: [{ 'l.sku': { $gte: 1 } }] })
assert.deepEqual([updated.matchedCount, updated.modifiedCount], [3, 2])
const upserted = await orders.updateOne({ item: 'ink' }, { $setOnInsert: { fresh: true } }, { upsert: true })
assert.equal(upserted.upsertedCount, 1)
assert.equal((await orders.findOneAndUpdate({ item: 'ink' }, { $set: { qty: 1 } }, { returnDocument: 'after' })).qty, 1)
assert.equal((await orders.replaceOne({ item: 'ink' }, { item: 'toner' })).modifiedCount, 1)
assert.equal((await orders.findOneAndDelete({ item: 'toner' })).item, 'toner')
const bulk = await orders.bulkWrite([
  { insertOne: { document: { _id: 'bulk' } } },
  { updateOne: { filter: { _id: 'bulk' }, update: { $set: { a: 1 } } } },
  { deleteMany: { filter: { qty: { $lt: 5 } } } },
])
assert.deepEqual([bulk.insertedCount, bulk.modifiedCount, bulk.deletedCount], [1, 1, 5])
await assert.rejects(orders.insertOne({ _id: 'bulk' }), code(11000))
assert.deepEqual((await orders.distinct('lines.sku', { qty: { $lt: 8 } })).sort(), [5, 6, 7])

assert.equal(await orders.createIndex({ item: 1, qty: -1 }), 'item_1_qty_-1')
await shop.collection('users').createIndex({ email: 1 }, { unique: true })
await shop.collection('users').insertOne({ email: 'a' })
await assert.rejects(shop.collection('users').insertOne({ email: 'a' }), code(11000))
assert.deepEqual((await orders.indexes()).map(index => index.name), ['_id_', 'item_1_qty_-1'])
assert.match(JSON.stringify(await orders.find({ item: 'pen' }).explain()), /IXSCAN/)

const groups = await orders.aggregate([
  { $match: { qty: { $gte: 10 } } },
  { $group: { _id: { $mod: ['$qty', 2] }, n: { $sum: 1 } } },
  { $sort: { _id: 1 } },
]).toArray()
assert.deepEqual(groups, [{ _id: 0, n: 120 }, { _id: 1, n: 120 }])

const whole = {
  _id: 'types', long: Long.fromString('9007199254740993'), decimal: Decimal128.fromString('1.10'), binary: new Binary(Buffer.from([0, 255]), 5),
  timestamp: new Timestamp({ t: 5, i: 6 }), min: new MinKey(), date: new Date(5), regexp: /^a/i, nothing: null, deep: { a: [1, { b: [] }] },
}
await shop.collection('types').insertOne(whole)
assert.deepEqual(await shop.collection('types').findOne({}, { promoteLongs: false }), { ...whole, deep: whole.deep })

await client.withSession(async session => {
  await orders.insertOne({ _id: 'in a session' }, { session })
  assert(await orders.findOne({ _id: 'in a session' }, { session }))
  session.startTransaction()
  await assert.rejects(orders.insertOne({}, { session }), /Transaction numbers|retryable writes/) // in the driver's words
  await session.abortTransaction().catch(() => {})
})
assert.equal((await orders.insertOne({ _id: 'loose' }, { writeConcern: { w: 0 } })).acknowledged, false)
await assert.rejects(orders.insertOne({}, { writeConcern: { w: 3 } }), code(2))
await assert.rejects(shop.command({ noSuchCommand: 1 }), code(59))
await assert.rejects(orders.watch().next(), code(40573))

await shop.renameCollection('users', 'people')
const names = (await shop.listCollections().toArray()).map(c => c.name).sort()
assert.deepEqual(names, ['orders', 'people', 'types'])
assert((await client.db().admin().listDatabases()).databases.some(d => d.name === 'shop'))
await Promise.all(Array.from({ length: 100 }, () => shop.collection('counters').updateOne({ _id: 1 }, { $inc: { n: 1 } }, { upsert: true })))
assert.equal((await shop.collection('counters').findOne({ _id: 1 })).n, 100)
assert.equal(await shop.collection('people').drop(), true)

// Over TLS on the same port.
const tls = await new MongoClient(access.mongodb, { tls: true, tlsCAFile: access.ca_file }).connect()
assert(await tls.db('shop').collection('orders').findOne({ _id: 'bulk' }))
await tls.close()
const stranger = new MongoClient(access.mongodb, { tls: true, serverSelectionTimeoutMS: 1500 })
await assert.rejects(stranger.connect(), /certificate/)
await stranger.close()
// Compression is offered by the client and declined.
const squeezed = await new MongoClient(access.mongodb, { compressors: ['zlib'] }).connect()
assert(await squeezed.db('shop').collection('orders').findOne({ _id: 'bulk' }))
await squeezed.close()

const wrong = new MongoClient(access.mongodb.replace(/:[^:@/]+@/, ':wrong@'), { serverSelectionTimeoutMS: 3000 })
await assert.rejects(wrong.connect(), code(18))
await wrong.close()
const nobody = new MongoClient(access.mongodb.replace(/\/\/[^@]+@/, '//'), { serverSelectionTimeoutMS: 3000 })
await assert.rejects(nobody.db('shop').collection('orders').findOne(), code(13))
await nobody.close()
await shop.dropDatabase()
await client.close()
console.log('all as it should be, says the Node driver', require('mongodb/package.json').version)

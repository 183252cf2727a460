// Two clients of Atlas's Data API that go on unchanged, against the endpoint whose access is on the standard input:
// `mongodb-data-api` speaks JSON with an api-key, `@taskless/mongo-data-api` Extended JSON.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

const home = process.env.CONNECT_CONSOLE_TEST_NODE + '/node_modules/'
const require = createRequire(home)
const access = JSON.parse(readFileSync(0, 'utf8'))

{
  const { createMongoDBDataAPI } = require('mongodb-data-api')
  const api = createMongoDBDataAPI({ apiKey: access.api_key, urlEndpoint: access.data_api })
  const orders = api.$cluster('Cluster0').$database('plain').$collection('orders')
  const { insertedId } = await orders.insertOne({ document: { item: 'pen', n: 1 } })
  assert.match(insertedId, /^[0-9a-f]{24}$/)
  assert.equal((await orders.findOne({ filter: { _id: { $oid: insertedId } } })).document.item, 'pen')
  assert.equal((await orders.findOne({ filter: { item: 'none' } })).document, null)
  assert.deepEqual((await orders.insertMany({ documents: [{ _id: 2, n: 2 }, { _id: 3, n: 3 }] })).insertedIds, [2, 3])
  assert.deepEqual((await orders.find({ filter: { n: { $gt: 1 } }, sort: { n: -1 } })).documents, [{ _id: 3, n: 3 }, { _id: 2, n: 2 }])
  assert.deepEqual(await orders.updateOne({ filter: { _id: 2 }, update: { $inc: { n: 5 } } }), { matchedCount: 1, modifiedCount: 1 })
  assert.deepEqual(await orders.updateMany({ filter: {}, update: { $set: { seen: true } } }), { matchedCount: 3, modifiedCount: 3 })
  assert.equal((await orders.updateOne({ filter: { _id: 9 }, update: { $set: { n: 9 } }, upsert: true })).upsertedId, 9)
  assert.deepEqual(await orders.replaceOne({ filter: { _id: 9 }, replacement: { only: 1 } }), { matchedCount: 1, modifiedCount: 1 })
  const { documents } = await orders.aggregate({ pipeline: [{ $match: { seen: true } }, { $group: { _id: null, n: { $sum: '$n' } } }] })
  assert.deepEqual(documents, [{ _id: null, n: 11 }])
  assert.deepEqual(await orders.deleteOne({ filter: { _id: 9 } }), { deletedCount: 1 })
  assert.deepEqual(await orders.deleteMany({ filter: {} }), { deletedCount: 3 })
  const stranger = createMongoDBDataAPI({ apiKey: 'wrong', urlEndpoint: access.data_api })
  const refused = await stranger.$cluster('a').$database('b').$collection('c').findOne({ filter: {} }).catch(error => error)
  assert.equal(refused.status, 401)
}

{
  const { MongoClient } = await import(pathToFileURL(home + '@taskless/mongo-data-api/dist/index.js'))
  const { ObjectId, Long, Decimal128 } = createRequire(home + '@taskless/mongo-data-api/dist/index.js')('bson')
  const client = new MongoClient({ endpoint: access.data_api, dataSource: 'Cluster0', auth: { apiKey: access.api_key } })
  const orders = client.db('typed').collection('orders')
  const good = ({ data, error }) => { assert.equal(error, undefined, `${error}`); return data }
  const whole = { _id: new ObjectId(), at: new Date(5), price: Decimal128.fromString('1.10'), big: Long.fromString('123456789012'), n: 1 }
  const inserted = good(await orders.insertOne(whole))
  assert.equal(String(inserted.insertedId), String(whole._id))
  const found = good(await orders.findOne({ _id: whole._id }))
  assert.deepEqual([found.at, String(found.price), String(found.big), found.n], [whole.at, '1.10', '123456789012', 1])
  assert.equal(good(await orders.insertMany([{ _id: 2, n: 2 }, { _id: 3, n: 3 }])).insertedIds.length, 2)
  assert.deepEqual(good(await orders.find({ n: { $gt: 1 } }, { sort: { n: -1 }, projection: { n: 1 } })), [{ _id: 3, n: 3 }, { _id: 2, n: 2 }])
  assert.equal(good(await orders.updateOne({ _id: 2 }, { $set: { n: 7 } })).modifiedCount, 1)
  assert.equal(good(await orders.updateMany({}, { $set: { seen: true } })).matchedCount, 3)
  assert.equal(good(await orders.replaceOne({ _id: 3 }, { only: 1 })).modifiedCount, 1)
  assert.deepEqual(good(await orders.aggregate([{ $match: { seen: true } }, { $count: 'n' }])), [{ n: 2 }])
  assert.equal(good(await orders.deleteOne({ _id: 3 })).deletedCount, 1)
  assert.equal(good(await orders.deleteMany({})).deletedCount, 2)
  const refused = await orders.find({ n: { $foo: 1 } })
  assert(refused.error, 'an error was expected')
}
console.log('all as it should be, say both clients of the Data API')

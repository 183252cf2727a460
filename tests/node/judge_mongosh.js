// What somebody types into mongosh, against the sandbox it was started for.
const same = (got, wanted) => {
  const [a, b] = [EJSON.stringify(got), EJSON.stringify(wanted)]
  if (a !== b) throw new Error(`got ${a}, wanted ${b}`)
}
const refused = (call, code) => {
  try { call() } catch (error) { same(error.code, code); return }
  throw new Error(`an error of code ${code} was expected`)
}

db = db.getSiblingDB('shell')
same(db.orders.insertOne({ _id: 1, item: 'pen', qty: 5 }).acknowledged, true)
same(Object.keys(db.orders.insertMany([{ _id: 2, qty: 7 }, { _id: 3, qty: 9, tags: ['x', 'y'] }]).insertedIds).length, 2)
same(db.orders.find({ qty: { $gt: 5 } }, { _id: 1 }).sort({ _id: -1 }).toArray(), [{ _id: 3 }, { _id: 2 }])
same(db.orders.findOne({ tags: 'y' })._id, 3)
same(db.orders.updateOne({ _id: 1 }, { $inc: { qty: 1 } }).modifiedCount, 1)
same(db.orders.countDocuments(), 3)
same(db.orders.aggregate([{ $group: { _id: null, n: { $sum: '$qty' } } }]).toArray(), [{ _id: null, n: 22 }])
same(db.orders.createIndex({ qty: 1 }), 'qty_1')
same(db.orders.getIndexes().map(index => index.name), ['_id_', 'qty_1'])
if (!/IXSCAN/.test(EJSON.stringify(db.orders.find({ qty: 7 }).explain()))) throw new Error('the index is not used')
same(db.getCollectionNames(), ['orders'])
same(db.runCommand({ collStats: 'orders' }).count, 3)
same(db.stats().collections, 1)
same(db.orders.distinct('qty').length, 3)
same(db.orders.renameCollection('purchases').ok, 1)
same(db.purchases.deleteMany({ qty: { $gte: 7 } }).deletedCount, 2)
refused(() => db.purchases.insertOne({ _id: 1 }), 11000)
refused(() => db.runCommand({ noSuchCommand: 1 }), 59)
same(db.hello().isWritablePrimary, true)
same(db.version(), db.serverBuildInfo().version)
same(db.adminCommand('ping').ok, 1)
same(db.getMongo().getDBNames().includes('shell'), true)
same(db.dropDatabase().ok, 1)
print('all as it should be, says mongosh', version())

use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, TransactionBehavior, params};

use super::grams::{BITS, Filter, WORDS};
use super::{Block, GROUP, Progress, SLICE, SLICES, set_meta};

/// A block ends with so many rows, with so much text (which has to be read where a text may be in it), or when so many
/// bits are set that it would say less, if it is not all too short for what it takes on disk.
const ROWS: usize = 1_024;
const LONGEST: usize = 512 << 10;
const SHORTEST: usize = 64 << 10;
const FULL: usize = BITS / 2;
/// How many rows are read at once.
const PORTION: i64 = 256;

/// Makes blocks, and of blocks groups.
pub(super) struct Builder {
    conn: Connection,
    /// The block that is being filled, and how many rows and bytes it has.
    block: Block,
    filter: Filter,
    rows: usize,
    text: usize,
    /// How many groups were made since SQLite's log was worked into its file.
    groups: usize,
    /// How many rows a block has at most.
    pub(super) longest: usize,
}

/// After so many groups it is: nobody else does that while nothing is written.
const CHECKPOINT: usize = 8;

impl Builder {
    /// Goes on where the index ends.
    pub(super) fn new(conn: Connection) -> rusqlite::Result<Self> {
        let mut builder = Self { conn, block: Block::from(1), filter: Filter::new(), rows: 0, text: 0, groups: 0, longest: ROWS };
        builder.begin(0);
        builder.resume()?;
        Ok(builder)
    }

    /// Begins a block after a row.
    fn begin(&mut self, row: i64) {
        self.block = Block::from(row + 1);
        self.filter.clear();
        (self.rows, self.text) = (0, 0);
    }

    fn resume(&mut self) -> rusqlite::Result<()> {
        let row = Progress::read(&self.conn)?.map_or(0, |progress| progress.row);
        self.begin(row);
        Ok(())
    }

    /// Reads on a little, and keeps what became a block; whether there may be more to read. Whoever writes holds `writing`.
    pub(super) fn step(&mut self, writing: &Mutex<()>) -> rusqlite::Result<bool> {
        let mut blocks = Vec::new();
        let mut read = 0;
        {
            let Self { conn, block, filter, rows, text, longest, .. } = self;
            let mut statement =
                conn.prepare_cached("SELECT row, delivery, body FROM observations WHERE row > ? ORDER BY row LIMIT ?")?;
            let mut found = statement.query([block.last, PORTION])?;
            while let Some(row) = found.next()? {
                read += 1;
                block.last = row.get(0)?;
                *rows += 1;
                if let Some(delivery) = row.get::<_, Option<i64>>(1)? {
                    let body = row.get_ref(2)?.as_str()?;
                    (block.low, block.high) = (block.low.min(delivery), block.high.max(delivery));
                    filter.add(body);
                    *text += body.len();
                }
                if *rows >= *longest || *text >= LONGEST || (*text >= SHORTEST && filter.filled() >= FULL) {
                    blocks.push((*block, filter.bytes()));
                    *block = Block::from(block.last + 1);
                    filter.clear();
                    (*rows, *text) = (0, 0);
                }
            }
        }
        for (block, bits) in blocks {
            if !self.keep(block, &bits, writing)? {
                self.resume()?;
                return Ok(true);
            }
        }
        Ok(read == PORTION)
    }

    /// Adds a block to the index, if that is still as far as it was; otherwise it was begun anew meanwhile.
    fn keep(&mut self, block: Block, bits: &[u8], writing: &Mutex<()>) -> rusqlite::Result<bool> {
        let waiting = self.waiting()?;
        // Turned while nobody waits for it.
        let whole = waiting.len() + 1 == GROUP;
        let group = whole.then(|| turned(waiting.iter().map(|(_, bits)| &bits[..]).chain([bits])));
        let alone = writing.lock().unwrap_or_else(PoisonError::into_inner);
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if Progress::read(&tx)?.is_none_or(|progress| progress.row + 1 != block.first) {
            return Ok(false);
        }
        match group {
            None => {
                tx.prepare_cached("INSERT INTO text_blocks (first, last, low, high, bits) VALUES (?, ?, ?, ?, ?)")?
                    .execute(params![block.first, block.last, block.low, block.high, bits])?;
            }
            Some(slices) => {
                let blocks: Vec<Block> = waiting.iter().map(|(block, _)| *block).chain([block]).collect();
                if tx.execute("DELETE FROM text_blocks", [])? + 1 != GROUP {
                    // Retention took some of them: the next time there are that many.
                    return Ok(false);
                }
                add_group(&tx, &blocks, &slices)?;
            }
        }
        set_meta(&tx, "text_row", block.last)?;
        tx.commit()?;
        drop(alone);
        self.checkpoint(whole);
        Ok(true)
    }

    fn checkpoint(&mut self, group: bool) {
        self.groups += usize::from(group);
        if self.groups == CHECKPOINT {
            self.groups = 0;
            // That it can't be done now only means that it is done later.
            let _ = self.conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        }
    }

    /// The blocks that are in no group yet.
    fn waiting(&self) -> rusqlite::Result<Vec<(Block, Vec<u8>)>> {
        // Only those that are needed are read.
        let count: i64 = self.conn.prepare_cached("SELECT count(*) FROM text_blocks")?.query_row([], |row| row.get(0))?;
        if count + 1 < GROUP as i64 {
            return Ok(Vec::new());
        }
        self.conn
            .prepare_cached("SELECT first, last, low, high, bits FROM text_blocks ORDER BY first")?
            .query_map([], |row| {
                let block = Block { first: row.get(0)?, last: row.get(1)?, low: row.get(2)?, high: row.get(3)? };
                Ok((block, row.get(4)?))
            })?
            .collect()
    }
}

/// The filters of a group, turned: for each bit a word that has a bit for each of them.
fn turned<'a>(filters: impl Iterator<Item = &'a [u8]>) -> Vec<u64> {
    let mut turned = vec![0_u64; WORDS * 64];
    for (place, filter) in filters.enumerate() {
        if filter.len() != WORDS * 8 {
            // Not what was written: it denies nothing.
            turned.iter_mut().for_each(|slice| *slice |= 1 << place);
            continue;
        }
        let words = filter.chunks_exact(8).filter_map(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes);
        for (word, sixty_four) in words.zip(turned.chunks_exact_mut(64)) {
            let mut left = word;
            while left != 0 {
                if let Some(slice) = sixty_four.get_mut(left.trailing_zeros() as usize) {
                    *slice |= 1 << place;
                }
                left &= left - 1;
            }
        }
    }
    turned.truncate(BITS);
    turned
}

fn add_group(tx: &Connection, blocks: &[Block], slices: &[u64]) -> rusqlite::Result<()> {
    let whole = blocks.iter().copied().reduce(|a, b| Block {
        first: a.first,
        last: b.last,
        low: a.low.min(b.low),
        high: a.high.max(b.high),
    });
    let Some(Block { first, last, low, high }) = whole else { return Ok(()) };
    let blocks: Vec<u8> = blocks.iter().flat_map(Block::bytes).collect();
    let id: i64 = tx
        .prepare_cached(
            "INSERT INTO text_groups (id, first, last, low, high, blocks)
             VALUES ((SELECT coalesce(max(id), -1) + 1 FROM text_groups), ?, ?, ?, ?, ?) RETURNING id",
        )?
        .query_row(params![first, last, low, high, blocks], |row| row.get(0))?;
    let mut insert = tx.prepare_cached("INSERT OR REPLACE INTO text_slices (id, bits) VALUES (?, ?)")?;
    for (slice, words) in (id * SLICES as i64..).zip(slices.chunks(SLICE)) {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        insert.execute(params![slice, bytes])?;
    }
    Ok(())
}

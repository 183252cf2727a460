use rusqlite::{Connection, OptionalExtension};

use super::{Block, GROUP, Progress, SLICE, SLICES, grams};
use crate::journal::filter::{Needle, Place};

/// So many rows after the last block are few enough to look at each, to learn which deliveries they belong to.
const FEW: i64 = 20_000;

/// What the index says of the texts of a filter.
pub(in crate::journal) struct Sieve {
    needles: Vec<Sought>,
    groups: Vec<Group>,
    /// The last row that is in the index, and the first delivery that has a later one.
    pub(in crate::journal) row: i64,
    later: i64,
}

/// A needle, and for each of its texts the bits that must be set where it is.
struct Sought {
    needle: Needle,
    bits: Vec<Vec<usize>>,
}

/// Blocks that are looked through together.
struct Group {
    /// `None`: those that are in no group yet.
    id: Option<i64>,
    low: i64,
    high: i64,
    /// Read when they are needed, as are the masks: for each needle the blocks it may be in.
    blocks: Option<Vec<Block>>,
    masks: Vec<Option<u64>>,
}

/// Where to look for the deliveries of a stretch.
pub(in crate::journal) struct Chosen<'a> {
    /// The text that is in the fewest blocks.
    pub(in crate::journal) needle: &'a Needle,
    /// Rows to read: from, to.
    pub(in crate::journal) rows: Vec<(i64, i64)>,
    /// Whether deliveries of the stretch have rows the index knows nothing of.
    pub(in crate::journal) later: bool,
    /// Whether most of the blocks need not be read.
    pub(in crate::journal) telling: bool,
}

impl Sieve {
    /// For texts of which every delivery that fits has one each; `None` where there is no index or nothing it could tell.
    pub(in crate::journal) fn new(conn: &Connection, needles: Vec<Needle>) -> rusqlite::Result<Option<Self>> {
        let Some(Progress { row, columns }) = Progress::read(conn)?.filter(|progress| progress.row > 0) else { return Ok(None) };
        let needles: Vec<Sought> = needles
            .into_iter()
            .filter(|needle| columns || needle.place != Place::Columns)
            .map(|needle| Sought { bits: needle.texts.iter().map(|text| grams::bits(text)).collect(), needle })
            // One that is too short to tell anything is looked for without.
            .filter(|sought: &Sought| sought.bits.iter().all(|bits| !bits.is_empty()))
            .collect();
        if needles.is_empty() {
            return Ok(None);
        }
        let last: i64 =
            conn.prepare_cached("SELECT coalesce(max(row), 0) FROM observations")?.query_row([], |found| found.get(0))?;
        let later = match last - row {
            ..=0 => i64::MAX,
            1..=FEW => conn
                .prepare_cached("SELECT coalesce(min(delivery), ?2) FROM observations NOT INDEXED WHERE row > ?1")?
                .query_row([row, i64::MAX], |found| found.get(0))?,
            _ => i64::MIN,
        };
        let mut sieve = Self { needles, groups: Vec::new(), row, later };
        sieve.read_groups(conn)?;
        Ok(Some(sieve))
    }

    fn read_groups(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        let masks = vec![None; self.needles.len()];
        let mut statement = conn.prepare_cached("SELECT id, low, high FROM text_groups ORDER BY id")?;
        let groups = statement.query_map([], |found| {
            let (id, low, high) = (found.get(0)?, found.get(1)?, found.get(2)?);
            Ok(Group { id: Some(id), low, high, blocks: None, masks: masks.clone() })
        })?;
        self.groups = groups.collect::<rusqlite::Result<_>>()?;
        let mut statement = conn.prepare_cached("SELECT first, last, low, high FROM text_blocks ORDER BY first LIMIT ?")?;
        let blocks = statement.query_map([GROUP as i64], |found| {
            Ok(Block { first: found.get(0)?, last: found.get(1)?, low: found.get(2)?, high: found.get(3)? })
        })?;
        let blocks: Vec<Block> = blocks.collect::<rusqlite::Result<_>>()?;
        let low = blocks.iter().map(|block| block.low).min().unwrap_or(i64::MAX);
        let high = blocks.iter().map(|block| block.high).max().unwrap_or(i64::MIN);
        self.groups.push(Group { id: None, low, high, blocks: Some(blocks), masks });
        Ok(())
    }

    /// Where to look for what fits of the deliveries between two numbers; `None` where nothing can.
    pub(in crate::journal) fn choose(&mut self, conn: &Connection, from: i64, to: i64) -> rusqlite::Result<Option<Chosen<'_>>> {
        let later = self.later <= to;
        let mut best: Option<(usize, Vec<Block>, usize)> = None;
        for (place, sought) in self.needles.iter().enumerate() {
            let (mut passed, mut all) = (Vec::new(), 0);
            for group in self.groups.iter_mut().filter(|group| group.low <= to && group.high >= from) {
                let mask = group.mask(conn, place, &sought.bits)?;
                if mask == 0 {
                    all += GROUP;
                    continue;
                }
                for (at, block) in group.blocks(conn)?.iter().enumerate().filter(|(_, block)| block.touches(from, to)) {
                    all += 1;
                    if mask >> at & 1 == 1 {
                        passed.push(*block);
                    }
                }
            }
            if passed.is_empty() && !later {
                return Ok(None);
            }
            if best.as_ref().is_none_or(|(_, fewest, _)| passed.len() < fewest.len()) {
                best = Some((place, passed, all));
            }
        }
        Ok(best.and_then(|(place, passed, all)| {
            let needle = &self.needles.get(place)?.needle;
            Some(Chosen { needle, telling: !later && passed.len() * 4 <= all, rows: stretches(&passed), later })
        }))
    }
}

impl Group {
    fn blocks(&mut self, conn: &Connection) -> rusqlite::Result<&[Block]> {
        let blocks = match (self.blocks.take(), self.id) {
            (Some(blocks), _) => blocks,
            (None, Some(id)) => {
                let mut statement = conn.prepare_cached("SELECT blocks FROM text_groups WHERE id = ?")?;
                let bytes: Vec<u8> = statement.query_row([id], |found| found.get(0))?;
                bytes.chunks_exact(32).take(GROUP).filter_map(Block::read).collect()
            }
            (None, None) => Vec::new(),
        };
        Ok(self.blocks.insert(blocks))
    }

    /// The blocks in which one of some texts may be.
    fn mask(&mut self, conn: &Connection, place: usize, texts: &[Vec<usize>]) -> rusqlite::Result<u64> {
        if let Some(Some(mask)) = self.masks.get(place) {
            return Ok(*mask);
        }
        let mut any = 0;
        for bits in texts {
            any |= match self.id {
                Some(id) => in_group(conn, id, bits)?,
                None => in_blocks(conn, bits)?,
            };
        }
        if let Some(mask) = self.masks.get_mut(place) {
            *mask = Some(any);
        }
        Ok(any)
    }
}

fn in_group(conn: &Connection, group: i64, bits: &[usize]) -> rusqlite::Result<u64> {
    let mut all = u64::MAX;
    let mut statement = conn.prepare_cached("SELECT bits FROM text_slices WHERE id = ?")?;
    for bit in bits {
        let slice = group * SLICES as i64 + (bit / SLICE) as i64;
        let word = |bytes: &[u8]| bytes.get(bit % SLICE * 8..)?.first_chunk().copied().map(u64::from_le_bytes);
        let found = statement.query_row([slice], |found| Ok(found.get_ref(0)?.as_blob().ok().and_then(word))).optional()?;
        // What can't be read denies nothing.
        all &= found.flatten().unwrap_or(u64::MAX);
        if all == 0 {
            break;
        }
    }
    Ok(all)
}

fn in_blocks(conn: &Connection, bits: &[usize]) -> rusqlite::Result<u64> {
    let mut statement = conn.prepare_cached("SELECT bits FROM text_blocks ORDER BY first LIMIT ?")?;
    let mut found = statement.query([GROUP as i64])?;
    let (mut any, mut place) = (0, 0);
    while let Some(row) = found.next()? {
        let filter = row.get_ref(0)?.as_blob().unwrap_or_default();
        let set = |bit: &usize| filter.get(bit / 8).is_none_or(|byte| byte >> (bit % 8) & 1 == 1);
        if bits.iter().all(set) {
            any |= 1 << place;
        }
        place += 1;
    }
    Ok(any)
}

/// The rows of blocks, neighbours together.
fn stretches(blocks: &[Block]) -> Vec<(i64, i64)> {
    let mut stretches: Vec<(i64, i64)> = Vec::new();
    for block in blocks {
        match stretches.last_mut() {
            Some((_, last)) if *last + 1 == block.first => *last = block.last,
            _ => stretches.push((block.first, block.last)),
        }
    }
    stretches
}

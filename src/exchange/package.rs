//! The container of a workbook: a zip file. Only what workbooks need of it, so that a dozen crates are not needed.

use miniz_oxide::inflate::decompress_to_vec_with_limit;

/// The largest part that is read, in bytes.
const LARGEST: usize = 32 << 20;

const END: &[u8] = b"PK\x05\x06";
const ENTRY: &[u8] = b"PK\x01\x02";
const FILE: &[u8] = b"PK\x03\x04";

/// The parts of a workbook.
pub(super) struct Package<'a>(&'a [u8]);

fn at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..offset.checked_add(N)?)?.try_into().ok()
}

fn short(bytes: &[u8], offset: usize) -> Option<usize> {
    at(bytes, offset).map(|b| u16::from_le_bytes(b).into())
}

fn long(bytes: &[u8], offset: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(at(bytes, offset)?)).ok()
}

impl<'a> Package<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, String> {
        if bytes.starts_with(FILE) { Ok(Self(bytes)) } else { Err("it is no workbook".into()) }
    }

    /// The text of a part; `None` where there is no part of that name.
    pub(super) fn part(&self, name: &str) -> Result<Option<String>, String> {
        let Some((method, offset, packed)) = self.find(name) else { return Ok(None) };
        let damaged = || format!("the part {name} of the workbook is damaged");
        let begin = || {
            let header = self.0.get(offset..).filter(|rest| rest.starts_with(FILE))?;
            offset.checked_add(30 + short(header, 26)? + short(header, 28)?)
        };
        let begin = begin().ok_or_else(damaged)?;
        let bytes = self.0.get(begin..begin.saturating_add(packed)).ok_or_else(damaged)?;
        let content = match method {
            0 => bytes.to_vec(),
            8 => decompress_to_vec_with_limit(bytes, LARGEST).map_err(|_| damaged())?,
            other => return Err(format!("the part {name} of the workbook is packed in a way ({other}) workbooks are not")),
        };
        String::from_utf8(content).map(Some).map_err(|_| damaged())
    }

    /// How a part is packed, where it begins, and its packed size, by the directory at the end of the file.
    fn find(&self, name: &str) -> Option<(usize, usize, usize)> {
        let end = self.0.windows(END.len()).rposition(|window| window == END)?;
        let count = short(self.0, end + 10)?;
        let mut place = long(self.0, end + 16)?;
        for _ in 0..count {
            let entry = self.0.get(place..).filter(|rest| rest.starts_with(ENTRY))?;
            let (names, extra, comment) = (short(entry, 28)?, short(entry, 30)?, short(entry, 32)?);
            if entry.get(46..46 + names) == Some(name.as_bytes()) {
                return Some((short(entry, 10)?, long(entry, 42)?, long(entry, 20)?));
            }
            place = place.checked_add(46 + names + extra + comment)?;
        }
        None
    }
}

/// Packs parts, uncompressed.
pub(super) fn pack(parts: &[(&str, &str)]) -> Result<Vec<u8>, String> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    let small = |n: usize| u32::try_from(n).map_err(|_| "it is too large for a workbook".to_owned());
    for (name, content) in parts {
        // Version 2.0, no flags, stored, the first day there is (1980-01-01), checksum, sizes, length of the name.
        let mut facts = vec![20, 0, 0, 0, 0, 0, 0, 0, 33, 0];
        facts.extend(checksum(content.as_bytes()).to_le_bytes());
        facts.extend(small(content.len())?.to_le_bytes());
        facts.extend(small(content.len())?.to_le_bytes());
        facts.extend(u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes());
        facts.extend([0, 0]);
        directory.extend(ENTRY);
        directory.extend([20, 0]);
        directory.extend(&facts);
        directory.extend([0; 10]);
        directory.extend(small(file.len())?.to_le_bytes());
        directory.extend(name.as_bytes());
        file.extend(FILE);
        file.extend(&facts);
        file.extend(name.as_bytes());
        file.extend(content.as_bytes());
    }
    let count = u16::try_from(parts.len()).unwrap_or(u16::MAX).to_le_bytes();
    let begin = small(file.len())?;
    file.extend(&directory);
    file.extend(END);
    file.extend([0; 4]);
    file.extend(count);
    file.extend(count);
    file.extend(small(directory.len())?.to_le_bytes());
    file.extend(begin.to_le_bytes());
    file.extend([0, 0]);
    Ok(file)
}

/// CRC-32, as zip files have it.
fn checksum(bytes: &[u8]) -> u32 {
    let fold = |sum: u32, byte: &u8| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 })
    };
    !bytes.iter().fold(!0, fold)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_usual_one() {
        assert_eq!(checksum(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn what_is_packed_is_found_again_and_damage_is_no_panic() {
        let file = pack(&[("a.xml", "one"), ("b/c.xml", "two")]).unwrap();
        let package = Package::new(&file).unwrap();
        assert_eq!(package.part("b/c.xml"), Ok(Some("two".into())));
        assert_eq!(package.part("none"), Ok(None));
        for cut in 4..file.len() {
            let _ = Package::new(&file[..cut]).unwrap().part("a.xml");
        }
        assert!(Package::new(b"text").is_err());
    }
}

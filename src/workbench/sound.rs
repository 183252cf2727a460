use std::path::Path;

use rusqlite::{Connection, OpenFlags};

/// The databases of a data directory.
const DATABASES: [&str; 3] = ["journal.sqlite", "platform.sqlite", "sandbox.sqlite"];
/// A larger file is not read as a whole.
const LARGE: u64 = 256 << 20;

/// The state of one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Soundness {
    /// The file.
    pub(crate) name: &'static str,
    /// What is wrong with it, in words.
    pub(crate) damage: Option<String>,
}

/// Looks into every database there is, without changing any.
pub(crate) fn databases(data_dir: &Path) -> Vec<Soundness> {
    let there = DATABASES.into_iter().filter(|name| data_dir.join(name).exists());
    there.map(|name| Soundness { name, damage: damage(&data_dir.join(name)) }).collect()
}

fn damage(path: &Path) -> Option<String> {
    let look = || -> rusqlite::Result<String> {
        let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let large = std::fs::metadata(path).is_ok_and(|file| file.len() > LARGE);
        let question = if large { "SELECT 'ok' FROM sqlite_schema UNION SELECT 'ok'" } else { "PRAGMA quick_check(1)" };
        db.query_row(question, [], |row| row.get(0))
    };
    let why = match look() {
        Ok(word) if word == "ok" => return None,
        Ok(why) => why,
        Err(error) => error.to_string(),
    };
    Some(format!("{why}; move {} away to begin with an empty one", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_database_is_looked_into_and_what_is_damaged_is_named_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let sound = Connection::open(dir.path().join("journal.sqlite")).unwrap();
        sound.execute_batch("CREATE TABLE a (b)").unwrap();
        let junk = vec![b'x'; 9_000];
        std::fs::write(dir.path().join("platform.sqlite"), &junk).unwrap();
        std::fs::write(dir.path().join("sandbox.sqlite"), &junk).unwrap();
        let found = databases(dir.path());
        assert_eq!(
            found.iter().map(|f| (f.name, f.damage.is_some())).collect::<Vec<_>>(),
            [("journal.sqlite", false), ("platform.sqlite", true), ("sandbox.sqlite", true),]
        );
        assert!(found[1].damage.as_ref().unwrap().contains("platform.sqlite away"), "{found:?}");
        assert_eq!(std::fs::read(dir.path().join("platform.sqlite")).unwrap(), junk);
    }
}

//! What the sources of a Python extension say about the database they want.

use std::path::Path;

/// How many files are read at most, and how large they may be.
const FILES: usize = 2_000;
const LARGEST: u64 = 1 << 20;
/// How deep directories are looked into.
const DEEPEST: u32 = 8;
/// Directories with sources of others.
const FOREIGN: [&str; 4] = ["venv", "node_modules", "site-packages", "__pycache__"];

/// What the sources mention.
#[derive(Default)]
struct Seen {
    plain: bool,
    srv: bool,
    files: usize,
}

/// Whether a project connects by `mongodb://`, which takes a host with its port, and nowhere by `mongodb+srv://`, which
/// takes a name without one.
pub(super) fn want_a_port(project: &Path) -> bool {
    let mut seen = Seen::default();
    look(project, 0, &mut seen);
    seen.plain && !seen.srv
}

fn look(dir: &Path, depth: u32, seen: &mut Seen) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        // Links are not followed: they may lead in a circle.
        let Ok(about) = entry.metadata() else { continue };
        if about.is_dir() {
            if depth < DEEPEST && !name.starts_with('.') && !FOREIGN.contains(&name.as_ref()) {
                look(&path, depth + 1, seen);
            }
        } else if about.is_file() && name.ends_with(".py") && about.len() <= LARGEST && seen.files < FILES {
            seen.files += 1;
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            seen.plain |= text.contains("mongodb://");
            seen.srv |= text.contains("mongodb+srv://");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case::by_port("uri = f'mongodb://{host}/'", true)]
    #[case::by_name("uri = f'mongodb+srv://{host}/'", false)]
    #[case::both("'mongodb://' if local else 'mongodb+srv://'", false)]
    #[case::neither("print()", false)]
    fn a_host_with_a_port_is_for_code_that_says_mongodb_without_srv(#[case] source: &str, #[case] expected: bool) {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in [("shop/events.py", source), ("venv/lib.py", "'mongodb+srv://'"), (".git/a.py", "'mongodb://'")] {
            let file = dir.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        assert_eq!(want_a_port(dir.path()), expected);
    }

    #[test]
    fn a_project_that_is_not_there_wants_nothing() {
        assert!(!want_a_port(Path::new("/nowhere/at/all")));
    }
}

//! What changed in the sources.
//!
//! Looking at all files a few times a second is enough here: a project has some hundred, which costs a millisecond or two, and
//! unlike the kernel's notifications it also works on network drives and on directories mounted into a container, and
//! needs no crate.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc;

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(400);
/// A project that has more files than that is not watched to its end.
const MOST: usize = 20_000;

type Seen = BTreeMap<PathBuf, (SystemTime, u64)>;

/// Names the files below `dir` that change from now on, once no more change, until the receiver is dropped.
pub(super) async fn start(dir: PathBuf) -> mpsc::Receiver<Vec<PathBuf>> {
    let (changes, receiver) = mpsc::channel(1);
    let mut known = look(&dir).await;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = changes.closed() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            let mut now = look(&dir).await;
            if now == known {
                continue;
            }
            // An editor saves one file after the other, a checkout hundreds.
            loop {
                tokio::time::sleep(LOOK / 2).await;
                let later = look(&dir).await;
                if std::mem::replace(&mut now, later) == now {
                    break;
                }
            }
            let changed = difference(&known, &now, &dir);
            known = now;
            if !changed.is_empty() && changes.send(changed).await.is_err() {
                return;
            }
        }
    });
    receiver
}

async fn look(dir: &Path) -> Seen {
    let dir = dir.to_path_buf();
    tokio::task::spawn_blocking(move || {
        let mut seen = Seen::new();
        collect(&dir, &mut seen);
        seen
    })
    .await
    .unwrap_or_default()
}

fn collect(dir: &Path, seen: &mut Seen) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let (path, Ok(kind)) = (entry.path(), entry.file_type()) else { continue };
        if seen.len() >= MOST {
            return;
        }
        if kind.is_dir() {
            if is_source_dir(&path) {
                collect(&path, seen);
            }
        } else if is_source(&path)
            && let Ok(about) = fs::metadata(&path)
        {
            seen.insert(path, (about.modified().unwrap_or(SystemTime::UNIX_EPOCH), about.len()));
        }
    }
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

fn is_source_dir(dir: &Path) -> bool {
    let name = name(dir);
    let generated = name.starts_with('.') || name == "__pycache__" || name == "node_modules" || name.ends_with(".egg-info");
    !generated && !dir.join("pyvenv.cfg").is_file()
}

fn is_source(file: &Path) -> bool {
    let name = name(file);
    (name.ends_with(".py") && !name.starts_with(['.', '#'])) || name == "extension.json" || name == "pyproject.toml"
}

fn difference(before: &Seen, now: &Seen, dir: &Path) -> Vec<PathBuf> {
    let changed = now.iter().filter(|(path, state)| before.get(*path) != Some(state)).map(|(path, _)| path);
    let gone = before.keys().filter(|path| !now.contains_key(*path));
    let mut all: Vec<PathBuf> = changed.chain(gone).map(|path| path.strip_prefix(dir).unwrap_or(path).to_path_buf()).collect();
    all.sort();
    all
}

/// The files in words.
pub(super) fn names(changed: &[PathBuf]) -> String {
    let shown: Vec<String> = changed.iter().take(5).map(|path| path.display().to_string()).collect();
    match changed.len().saturating_sub(shown.len()) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sources_that_change_come_or_go_are_named_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("pkg/one.py", "1");
        write("pkg/gone.py", "1");
        let mut changes = start(dir.path().to_path_buf()).await;
        write("venv/pyvenv.cfg", "");
        write("venv/lib/dep.py", "1");
        write("pkg/__pycache__/one.py", "1");
        write("notes.txt", "1");
        write("pkg/one.py", "now longer");
        write("pkg/new.py", "1");
        fs::remove_file(dir.path().join("pkg/gone.py")).unwrap();
        let changed = tokio::time::timeout(Duration::from_secs(10), changes.recv()).await.unwrap().unwrap();
        assert_eq!(names(&changed), "pkg/gone.py, pkg/new.py, pkg/one.py");
    }

    #[test]
    fn many_files_are_counted() {
        let many: Vec<PathBuf> = (0..8).map(|n| format!("{n}.py").into()).collect();
        assert_eq!(names(&many), "0.py, 1.py, 2.py, 3.py, 4.py and 3 more");
    }
}

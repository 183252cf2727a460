use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::WorkbenchError;

/// The data directory of a project: below the platform's own data directory, one for each project path, so that two
/// projects never mix their histories.
///
/// # Errors
/// [`WorkbenchError::Usage`] where the system names no home directory.
pub fn data_dir_of(project: &Path) -> Result<PathBuf, WorkbenchError> {
    let dirs = directories::ProjectDirs::from("", "", "connect-console").ok_or_else(|| {
        WorkbenchError::Usage("no home directory is known, so there is no place for data: give one with --data-dir DIR".into())
    })?;
    let project = std::fs::canonicalize(project).unwrap_or_else(|_| project.to_owned());
    let name: String = project.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let digest = Sha256::digest(project.as_os_str().as_encoded_bytes());
    let tail: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    Ok(dirs.data_dir().join("projects").join(format!("{name}-{tail}")))
}

/// Makes a directory only its owner can look into, and checks that it can be written to.
///
/// # Errors
/// [`WorkbenchError::Usage`] with the path, the reason and what to do.
pub(crate) fn private_dir(dir: &Path) -> Result<(), WorkbenchError> {
    let unusable = |e: std::io::Error| {
        WorkbenchError::Usage(format!(
            "the data directory {} can't be used: {e}; make it writable or give another with --data-dir DIR",
            dir.display()
        ))
    };
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(unusable)?;
    let probe = dir.join(".writable");
    std::fs::write(&probe, b"").and_then(|()| std::fs::remove_file(&probe)).map_err(unusable)
}

/// Writes a file only its owner can read, replacing an older one in one step.
pub(super) fn write_private(path: &Path, content: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    let draft = path.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&draft, path)
}

/// Reads a file that holds secrets. One that others could read is made private again, which is told with `say`.
pub(super) fn read_private(path: &Path, say: impl FnOnce(String)) -> std::io::Result<Vec<u8>> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(path)?.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
            say(format!("{} could be read by others (mode {mode:o}); it is private again (600)", path.display()));
        }
    }
    std::fs::read(path)
}

/// Writes a new file only its owner can read.
///
/// # Errors
/// `AlreadyExists`, and what else the system says.
pub(super) fn new_private(path: &Path, content: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(content)
}

/// What a front end remembered in the data directory.
pub(crate) fn recall(data_dir: &Path, name: &str) -> Option<String> {
    std::fs::read_to_string(data_dir.join(name)).ok()
}

/// Remembers something for the next time. That it could not be is no reason to trouble anybody.
pub(crate) fn keep(data_dir: &Path, name: &str, text: &str) {
    if data_dir.is_dir() {
        let _ = write_private(&data_dir.join(name), text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_projects_of_the_same_name_have_different_directories() {
        let one = data_dir_of(Path::new("/nowhere/a/shop")).unwrap();
        let other = data_dir_of(Path::new("/nowhere/b/shop")).unwrap();
        assert_ne!(one, other);
        assert!(one.file_name().unwrap().to_string_lossy().starts_with("shop-"));
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_named_with_what_to_do() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = private_dir(&file.path().join("below")).unwrap_err().to_string();
        assert!(error.contains("--data-dir") && error.contains("below"), "{error}");
    }
}

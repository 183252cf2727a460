//! What an extension starts and sends out of the runner's process group (`setsid`, a daemon). The group does not reach
//! it; a mark in its environment, which every child inherits, tells whose it is.

use std::time::Duration;

use rand::Rng;
use rand::distr::Alphanumeric;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

/// The variable that holds the mark. `assets/guest/launch.py` looks for it, too.
pub(super) const VARIABLE: &str = "CONNECT_CONSOLE_RUNNER";
/// How often it is looked whether somebody is left.
const LOOK: Duration = Duration::from_millis(50);
/// How long the system may take to end what was killed.
const LAST: Duration = Duration::from_secs(2);

/// The mark of one life of the runner.
#[derive(Debug)]
pub(super) struct Mark(String);

impl Mark {
    pub(super) fn new() -> Self {
        Self(rand::rng().sample_iter(Alphanumeric).take(20).map(char::from).collect())
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// Asks all that bear the mark to end, waits for `grace`, then makes them; how many there were. To be called when the
    /// group has ended, whose processes bear it as well.
    pub(super) async fn end(&self, grace: Duration) -> usize {
        let found = self.bearers();
        if found.is_empty() {
            return 0;
        }
        signal(&found, Signal::TERM);
        if !self.gone(grace).await {
            signal(&self.bearers(), Signal::KILL);
            self.gone(LAST).await;
        }
        found.len()
    }

    async fn gone(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        while !self.bearers().is_empty() {
            if Instant::now() >= until {
                return false;
            }
            sleep(LOOK).await;
        }
        true
    }

    /// The living that bear the mark; none where the system does not tell. Another user's processes can't be read, and
    /// could not be ended either; the dead have no environment.
    fn bearers(&self) -> Vec<Pid> {
        let line = format!("{VARIABLE}={}", self.0).into_bytes();
        let bears = |pid: &i32| {
            let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == line)
        };
        let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
        let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(bears).filter_map(Pid::from_raw).collect()
    }
}

fn signal(processes: &[Pid], signal: Signal) {
    for process in processes {
        // It may have ended meanwhile.
        let _ = kill_process(*process, signal);
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::process::Stdio;

    use tokio::io::AsyncReadExt;
    use tokio::process::{Child, Command};

    use super::*;

    async fn shell(mark: &Mark, script: &str) -> Child {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).env(VARIABLE, mark.text()).process_group(0).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut said = [0; 1];
        child.stdout.as_mut().unwrap().read_exact(&mut said).await.unwrap();
        child
    }

    #[tokio::test]
    async fn who_bears_the_mark_is_found_in_whatever_session_and_nobody_else() {
        let (mark, other) = (Mark::new(), Mark::new());
        let mut gone = shell(&mark, "setsid sh -c 'sleep 600 & echo; wait' & echo").await;
        gone.wait().await.unwrap();
        let mut stays = shell(&other, "echo; sleep 600 & wait").await;
        assert!(!mark.bearers().is_empty());
        assert!(mark.end(Duration::from_secs(10)).await > 0);
        assert_eq!(mark.bearers(), []);
        assert!(stays.try_wait().unwrap().is_none());
        assert!(other.end(Duration::from_secs(10)).await > 0);
        stays.wait().await.unwrap();
    }

    #[tokio::test]
    async fn who_does_not_listen_is_made_to_end() {
        let mark = Mark::new();
        let mut deaf = shell(&mark, "trap '' TERM; echo; while :; do sleep 600; done").await;
        assert!(mark.end(Duration::from_millis(100)).await > 0);
        assert_eq!(mark.bearers(), []);
        deaf.wait().await.unwrap();
    }
}

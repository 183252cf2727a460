//! A process and all its children: the runner's workers, and what the extension starts.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::process::Child;
use tokio::time::{Instant, sleep, timeout};

/// How often it is looked whether somebody is left.
const LOOK: Duration = Duration::from_millis(20);
/// How long the system may take to end what was killed.
const LAST: Duration = Duration::from_secs(2);

/// The process group of a child that leads one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group(Pid);

impl Group {
    /// Of a child started with `process_group(0)`; `None` when it was reaped already.
    pub(super) fn led_by(child: &Child) -> Option<Self> {
        let id = i32::try_from(child.id()?).ok()?;
        Pid::from_raw(id).map(Self)
    }

    /// Asks everybody to end, waits for `grace`, then makes them. Returns when none is left.
    pub(super) async fn end(self, child: &mut Child, grace: Duration) {
        let _ = kill_process_group(self.0, Signal::TERM);
        if !self.gone(child, grace).await {
            let _ = kill_process_group(self.0, Signal::KILL);
            self.gone(child, LAST).await;
        }
    }

    async fn gone(self, child: &mut Child, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        // Unreaped, the leader would count as left.
        if timeout(patience, child.wait()).await.is_err() {
            return false;
        }
        while self.lives() {
            if Instant::now() >= until {
                return false;
            }
            sleep(LOOK).await;
        }
        true
    }

    /// Whether somebody is left. The dead whom a container's first process never reaps do not count.
    pub(super) fn lives(self) -> bool {
        if test_kill_process_group(self.0).is_err() {
            return false;
        }
        let Ok(processes) = std::fs::read_dir("/proc") else { return true };
        let mut stats =
            processes.flatten().filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok()).peekable();
        stats.peek().is_none() || stats.any(|stat| in_group(&stat, self.0.as_raw_nonzero().get()))
    }
}

/// Whether `/proc/PID/stat` is that of a living process of the group. The name before it may hold anything but `)`.
fn in_group(stat: &str, group: i32) -> bool {
    let Some((_, rest)) = stat.rsplit_once(')') else { return false };
    let mut fields = rest.split_whitespace();
    let dead = matches!(fields.next(), Some("Z" | "X"));
    let of = fields.nth(1).and_then(|field| field.parse().ok());
    !dead && of == Some(group)
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use rstest::rstest;
    use tokio::io::AsyncReadExt;
    use tokio::process::Command;

    use super::*;

    #[rstest]
    #[case("7 (python) S 1 42 42 0", true)]
    #[case("7 (a ) b) S 1 42 42 0", true)]
    #[case("7 (python) Z 1 42 42 0", false)]
    #[case("7 (python) S 42 7 42 0", false)]
    fn the_living_of_a_group_are_told_from_the_dead_and_the_others(#[case] stat: &str, #[case] expected: bool) {
        assert_eq!(in_group(stat, 42), expected);
    }

    fn shell(script: &str) -> (Child, Group) {
        let child = Command::new("/bin/sh").args(["-c", script]).process_group(0).stdout(Stdio::piped()).spawn().unwrap();
        let group = Group::led_by(&child).unwrap();
        (child, group)
    }

    #[tokio::test]
    async fn children_of_children_end_too() {
        let (mut child, group) = shell("sleep 600 & sleep 600 & wait");
        group.end(&mut child, Duration::from_secs(10)).await;
        assert!(!group.lives());
    }

    #[tokio::test]
    async fn who_does_not_listen_is_made_to_end() {
        let (mut child, group) = shell("trap '' TERM; echo deaf; while :; do sleep 600; done");
        let mut said = [0; 4];
        child.stdout.as_mut().unwrap().read_exact(&mut said).await.unwrap();
        let began = Instant::now();
        group.end(&mut child, Duration::from_millis(200)).await;
        assert!(!group.lives());
        assert!(began.elapsed() >= Duration::from_millis(200));
    }

    #[tokio::test]
    async fn those_whose_leader_has_left_end_too() {
        let (mut child, group) = shell("sleep 600 & exit 3");
        assert_eq!(child.wait().await.unwrap().code(), Some(3));
        assert!(group.lives());
        group.end(&mut child, Duration::from_secs(5)).await;
        assert!(!group.lives());
    }
}

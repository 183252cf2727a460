//! A process and all its children: the runner's workers, and what the extension starts.

use std::collections::HashSet;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process_group};
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
            self.kill(child).await;
        }
    }

    /// Makes everybody end. Returns when none is left.
    pub(super) async fn kill(self, child: &mut Child) {
        let _ = kill_process_group(self.0, Signal::KILL);
        self.gone(child, LAST).await;
    }

    /// Makes those end whose parent has gone, with all that came from them; how many they were. What a dead process leaves
    /// behind may hold its sockets open, and so hide its death.
    pub(super) fn kill_orphans(self) -> usize {
        let mut killed = HashSet::new();
        loop {
            let members = self.members().unwrap_or_default();
            // Who was told to end can be there for a moment yet, and who came from it has not lost its parent before.
            let orphans: Vec<i32> = orphans(&members, self.id()).into_iter().filter(|pid| killed.insert(*pid)).collect();
            if orphans.is_empty() {
                return killed.len();
            }
            for pid in orphans.into_iter().filter_map(Pid::from_raw) {
                let _ = kill_process(pid, Signal::KILL);
            }
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
        test_kill_process_group(self.0).is_ok() && self.members().is_none_or(|members| !members.is_empty())
    }

    /// The living; `None` where the system does not tell.
    fn members(self) -> Option<Vec<Member>> {
        let processes = std::fs::read_dir("/proc").ok()?;
        let stats = processes.flatten().filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
        let mut stats = stats.peekable();
        stats.peek()?;
        Some(stats.filter_map(|stat| Member::of(&stat, self.id())).collect())
    }

    fn id(self) -> i32 {
        self.0.as_raw_nonzero().get()
    }
}

/// A living process of a group.
#[derive(Debug, PartialEq, Eq)]
struct Member {
    pid: i32,
    parent: i32,
}

impl Member {
    /// Reads `/proc/PID/stat`, if that is one of a living process of the group. The name in it may hold anything.
    fn of(stat: &str, group: i32) -> Option<Self> {
        let (begin, rest) = stat.rsplit_once(')')?;
        let mut fields = rest.split_whitespace();
        let dead = matches!(fields.next()?, "Z" | "X");
        let (parent, of) = (fields.next()?.parse().ok()?, fields.next()?.parse::<i32>().ok()?);
        let pid = begin.split_whitespace().next()?.parse().ok()?;
        (!dead && of == group).then_some(Self { pid, parent })
    }
}

/// The members that do not come from the leader: neither it nor a child of it, nor a child of such a one.
fn orphans(members: &[Member], leader: i32) -> Vec<i32> {
    let mut kept = HashSet::from([leader]);
    loop {
        let before = kept.len();
        kept.extend(members.iter().filter(|member| kept.contains(&member.parent)).map(|member| member.pid).collect::<Vec<_>>());
        if kept.len() == before {
            return members.iter().map(|member| member.pid).filter(|pid| !kept.contains(pid)).collect();
        }
    }
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
    #[case("7 (python) S", false)]
    fn the_living_of_a_group_are_told_from_the_dead_and_the_others(#[case] stat: &str, #[case] expected: bool) {
        assert_eq!(Member::of(stat, 42), expected.then_some(Member { pid: 7, parent: 1 }));
    }

    #[test]
    fn who_comes_from_an_orphan_is_one_while_that_is_still_there() {
        let member = |pid, parent| Member { pid, parent };
        let members = [member(42, 1), member(50, 42), member(51, 50), member(60, 1), member(61, 60), member(62, 61)];
        assert_eq!(orphans(&members, 42), [60, 61, 62]);
        assert_eq!(orphans(&members[1..3], 42), [0; 0]);
        assert_eq!(orphans(&members[3..], 42), [60, 61, 62]);
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

    #[tokio::test]
    async fn what_a_dead_process_left_behind_ends_and_the_others_stay() {
        // One child ends at once and leaves one behind, which says so when it has a child of its own.
        let left = "sh -c 'sh -c \"sleep 600 & echo ready; wait\" &'";
        let (mut child, group) = shell(&format!("sleep 600 & {left}; wait"));
        let mut said = Vec::new();
        while !said.ends_with(b"ready\n") {
            assert_ne!(child.stdout.as_mut().unwrap().read_buf(&mut said).await.unwrap(), 0);
        }
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut killed = 0;
        // The one that left it may not have ended yet.
        while killed == 0 {
            assert!(Instant::now() < deadline, "none ended: {:?}", group.members());
            killed = group.kill_orphans();
            tokio::task::yield_now().await;
        }
        assert_eq!(killed, 2, "the one that was left, and its child with it");
        assert!(child.try_wait().unwrap().is_none(), "the leader stays");
        group.kill(&mut child).await;
        assert!(!group.lives());
    }
}

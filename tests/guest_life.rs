//! A guest's life and its ends: what is missing is said, what dies comes back, what is stopped leaves nothing behind.
//!
//! The child is a real Python in a real virtual environment; the package in it only calls itself the official runner.
//! Where there is no `python3` these tests say `skipped: ...` and pass.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers outside #[test] functions fail by panicking
#![allow(clippy::print_stderr)] // a skipped test says so
#![cfg(all(feature = "console", target_os = "linux"))]

#[path = "support/processes.rs"]
mod processes;
#[path = "support/until.rs"]
mod until;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use connect_console::observe::{Fact, Memory, Observer};
use connect_console::runtime::guest::{Guest, GuestAccess, GuestError, GuestOptions, GuestState, Hook};
use processes::all_ended;
use rustix::process::Pid;
use tempfile::TempDir;
use until::until_seen;

const KEY: &str = "ApiKey SU-1:a-key-nobody-may-see";
const PATIENCE: Duration = Duration::from_secs(120);
const DOUBLE: &str = include_str!("python/runner_double.py");
const PROJECT: &str =
    "[project]\nname = 'shop'\nversion = '1.2'\n[project.entry-points.'connect.eaas.ext']\neventsapp = 'shop.events:App'\n";

struct Shop {
    dir: TempDir,
    seen: Arc<Memory>,
}

impl Shop {
    /// A project with an environment of its own in which a runner is installed.
    fn new(behaviour: &str) -> Option<Self> {
        let shop = Self::without_runner(behaviour)?;
        let scripts = shop.project().join(".venv/bin");
        fs::write(scripts.join("cextrun"), DOUBLE).unwrap();
        let lib = fs::read_dir(shop.project().join(".venv/lib")).unwrap().next().unwrap().unwrap().path();
        let info = lib.join("site-packages/connect_extension_runner-43.1.dist-info");
        fs::create_dir(&info).unwrap();
        fs::write(info.join("METADATA"), "Metadata-Version: 2.1\nName: connect-extension-runner\nVersion: 43.1\n").unwrap();
        fs::write(info.join("RECORD"), "../../../bin/cextrun,,\n").unwrap();
        Some(shop)
    }

    fn without_runner(behaviour: &str) -> Option<Self> {
        let shop = Self { dir: tempfile::tempdir().unwrap(), seen: Arc::new(Memory::default()) };
        fs::create_dir_all(shop.project().join("shop")).unwrap();
        shop.write("pyproject.toml", PROJECT);
        shop.write("shop/__init__.py", "");
        shop.write("shop/events.py", "class App: pass\n");
        shop.write("behaviour.py", behaviour);
        fs::write(shop.dir.path().join("ca.pem"), "").unwrap();
        let made = Command::new("python3").args(["-m", "venv", "--without-pip"]).arg(shop.project().join(".venv")).output();
        if made.is_ok_and(|made| made.status.success()) {
            Some(shop)
        } else {
            eprintln!("skipped: there is no python3 that can make a virtual environment");
            None
        }
    }

    fn project(&self) -> PathBuf {
        self.dir.path().join("project")
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.project().join(name), text).unwrap();
    }

    async fn start(&self) -> Result<Guest, GuestError> {
        self.start_with(Vec::new()).await
    }

    async fn start_with(&self, hooks: Vec<Hook>) -> Result<Guest, GuestError> {
        let access = GuestAccess {
            server_address: "127.0.0.1:1".into(),
            api_address: "127.0.0.1:2".into(),
            ca_file: self.dir.path().join("ca.pem"),
            api_key: KEY.into(),
            environment_id: "ENV-1-2-3".into(),
            instance_id: None,
        };
        let (project, dir) = (self.project(), self.dir.path().join("data"));
        let options = GuestOptions { project, python: None, dir, access, hooks, variables: Vec::new(), find_delivery: None };
        Guest::start(options, Arc::clone(&self.seen) as Arc<dyn Observer>).await
    }

    fn log(&self) -> Vec<String> {
        let line = |fact| match fact {
            Fact::Log { level, target, message } => Some(format!("{level} {target}: {message}")),
            _ => None,
        };
        self.seen.seen().into_iter().filter_map(|o| line(o.fact)).collect()
    }

    async fn until_logged(&self, part: &str) -> String {
        let said = || self.log().into_iter().find(|line| line.contains(part));
        until_seen(&self.seen, PATIENCE, part, said).await
    }
}

/// Whether a process runs; one that is dead and not reaped does not.
fn runs(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.rsplit_once(')').unwrap().1.starts_with(" Z"))
}

/// Says where a name leads, and whether the environment's own `sitecustomize` had its turn.
const WHO_IS: &str = r#"
import builtins, socket
for name in ('db.connect-console.localhost', b'DB.connect-console.localhost.', '127.0.0.2'):
    log('INFO', f'{name!r} is {socket.getaddrinfo(name, 5, type=socket.SOCK_STREAM)[0][4]}')
try:
    log('INFO', f'another: {socket.getaddrinfo("other.connect-console.invalid", 5)}')
except OSError:
    log('INFO', 'another is unknown')
log('INFO', 'the own one ran: ' + str(hasattr(builtins, 'own_sitecustomize')))
import time
while True: time.sleep(600)
"#;

#[tokio::test]
async fn a_hook_answers_for_the_sandboxs_name_alone_and_the_environments_own_customization_still_runs() {
    let Some(shop) = Shop::new(WHO_IS) else { return };
    let lib = fs::read_dir(shop.project().join(".venv/lib")).unwrap().next().unwrap().unwrap().path();
    let own = "import builtins\nbuiltins.own_sitecustomize = True\n";
    fs::write(lib.join("site-packages/sitecustomize.py"), own).unwrap();
    let guest = shop.start_with(vec![Hook::sandbox("db.connect-console.localhost", 27_017)]).await.unwrap();
    shop.until_logged("'db.connect-console.localhost' is ('127.0.0.1', 5)").await;
    shop.until_logged("b'DB.connect-console.localhost.' is ('127.0.0.1', 5)").await;
    shop.until_logged("'127.0.0.2' is ('127.0.0.2', 5)").await;
    shop.until_logged("another is unknown").await;
    shop.until_logged("the own one ran: True").await;
    guest.stop().await;
}

const FOREVER: &str = "import time\nwhile True: time.sleep(600)\n";

#[tokio::test]
async fn a_missing_runner_is_said_with_the_command_that_installs_it() {
    let Some(shop) = Shop::without_runner("") else { return };
    let sentence = shop.start().await.unwrap_err().to_string();
    let python = shop.project().canonicalize().unwrap().join(".venv/bin/python");
    assert!(sentence.starts_with("the official runner is not installed for "), "{sentence}");
    assert!(sentence.ends_with(&format!("run `{} -m pip install connect-extension-runner`", python.display())), "{sentence}");
}

#[tokio::test]
async fn a_project_without_an_extension_is_told_what_is_missing() {
    let Some(shop) = Shop::new("") else { return };
    shop.write("pyproject.toml", "[project]\nname = 'shop'\n");
    let sentence = shop.start().await.unwrap_err().to_string();
    assert!(sentence.contains("its pyproject.toml needs an entry point of the group `connect.eaas.ext`"), "{sentence}");
    shop.write("pyproject.toml", "[project\n");
    let sentence = shop.start().await.unwrap_err().to_string();
    assert!(sentence.contains("it could not be read: pyproject.toml"), "{sentence}");
    fs::remove_file(shop.project().join("pyproject.toml")).unwrap();
    assert!(matches!(shop.start().await, Err(GuestError::NoProject(_))));
}

#[tokio::test]
async fn a_project_whose_module_is_nowhere_is_told_how_to_install_it() {
    let Some(shop) = Shop::new("") else { return };
    fs::remove_file(shop.project().join("shop/events.py")).unwrap();
    let sentence = shop.start().await.unwrap_err().to_string();
    assert!(sentence.contains("is not installed for") && sentence.contains("-m pip install -e "), "{sentence}");
}

#[tokio::test]
async fn the_runner_gets_what_it_needs_and_the_key_only_in_its_environment() {
    let behaviour = "from importlib import metadata\n\
                     points = metadata.entry_points(group='connect.eaas.ext') if sys.version_info >= (3, 10) else []\n\
                     log('INFO', 'entry points ' + ' '.join(p.value for p in points))\n\
                     import shop.events\n\
                     names = ('ENVIRONMENT_ID', 'INSTANCE_ID', 'SERVER_ADDRESS', 'API_ADDRESS', 'PYTHONUNBUFFERED')\n\
                     log('INFO', 'environment ' + ' '.join(os.environ[name] for name in names))\n\
                     log('INFO', 'bundles ' + str(os.path.isfile(os.environ['SSL_CERT_FILE'])) + ' ' + \
                     str(os.environ['SSL_CERT_FILE'] == os.environ['REQUESTS_CA_BUNDLE']))\n\
                     log('INFO', 'key ' + str(len(os.environ['API_KEY'])))\n";
    let Some(shop) = Shop::new(&format!("{behaviour}{FOREVER}")) else { return };
    let guest = shop.start().await.unwrap();
    shop.until_logged("arguments ['-u', '-n', '--no-rich-logging']").await;
    shop.until_logged("entry points shop.events:App").await;
    shop.until_logged("environment ENV-1-2-3 shop 127.0.0.1:1 127.0.0.1:2 1").await;
    shop.until_logged("bundles True True").await;
    shop.until_logged(&format!("key {}", KEY.len())).await;
    let pid = guest.status().borrow().pid.unwrap();
    let arguments = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    assert!(arguments.contains("cextrun") && !arguments.contains("nobody-may-see"), "{arguments}");
    assert!(!shop.log().join("\n").contains("nobody-may-see"));
    guest.stop().await;
}

#[tokio::test]
async fn a_runner_that_dies_is_started_again_and_why_it_died_is_told() {
    let once = "if not os.path.exists('died'):\n    open('died', 'w').close()\n    raise SystemError('out of luck')\n";
    let Some(shop) = Shop::new(&format!("{once}{FOREVER}")) else { return };
    let guest = shop.start().await.unwrap();
    let line = shop.until_logged("the runner ended").await;
    let expected = "ERROR guest: the runner ended: exit status 1: SystemError: out of luck (behaviour.py, line 3); it is started again in 1 s";
    assert!(line.starts_with(expected), "{line}");
    let mut status = guest.status();
    let again = status.wait_for(|s| s.starts == 2 && s.state == GuestState::Running);
    tokio::time::timeout(PATIENCE, again).await.unwrap().unwrap();
    guest.stop().await;
    assert_eq!(guest.status().borrow().state, GuestState::Stopped);
}

#[tokio::test]
async fn changed_sources_reload_the_runner_and_are_named() {
    let Some(shop) = Shop::new(FOREVER) else { return };
    let guest = shop.start().await.unwrap();
    shop.until_logged("connected to ws://").await;
    let first = guest.status().borrow().pid.unwrap().to_string();
    shop.write("shop/events.py", "class App:\n    changed = True\n");
    shop.until_logged("INFO guest: reload: shop/events.py changed; the runner starts anew, tasks wait meanwhile").await;
    let mut status = guest.status();
    let again = status.wait_for(|s| s.starts == 2 && s.state == GuestState::Running);
    tokio::time::timeout(PATIENCE, again).await.unwrap().unwrap();
    assert!(!runs(&first));
    guest.restart("the last variable was deleted");
    shop.until_logged("reload: the last variable was deleted").await;
    guest.stop().await;
}

#[tokio::test]
async fn stopped_it_leaves_no_process_behind_not_even_one_that_does_not_listen() {
    // Each says its line in one piece: two write to one pipe, and Python without a buffer writes every word by itself.
    let behaviour = "import subprocess\n\
                     deaf = subprocess.Popen(['/bin/sh', '-c', 'trap \"\" TERM; echo deaf $$; while :; do sleep 1; done'])\n\
                     meek = subprocess.Popen(['sleep', '600'])\n\
                     sys.stdout.write(f'children {deaf.pid} {meek.pid}\\n')\n";
    let Some(shop) = Shop::new(&format!("{behaviour}{FOREVER}")) else { return };
    let guest = shop.start().await.unwrap();
    shop.until_logged("stdout: deaf ").await;
    let line = shop.until_logged("stdout: children ").await;
    let mut pids: Vec<String> = line.split_whitespace().rev().take(2).map(str::to_owned).collect();
    pids.push(guest.status().borrow().pid.unwrap().to_string());
    assert!(pids.iter().all(|pid| runs(pid)), "{pids:?}");
    guest.stop().await;
    assert_eq!(pids.iter().filter(|pid| runs(pid)).count(), 0, "{pids:?}");
}

#[tokio::test]
async fn what_the_extension_detached_from_the_runner_ends_with_it_too_and_that_is_said() {
    // Both say who they are when they have left.
    let behaviour = "import subprocess\n\
                     away = subprocess.Popen(['sleep', '600'], start_new_session=True)\n\
                     daemon = 'setsid sh -c \"echo \\$\\$; exec sleep 600 >/dev/null 2>&1\" &'\n\
                     daemon = subprocess.check_output(['/bin/sh', '-c', daemon])\n\
                     sys.stdout.write(f'away {away.pid} {daemon.decode().strip()}\\n')\n";
    let Some(shop) = Shop::new(&format!("{behaviour}{FOREVER}")) else { return };
    let guest = shop.start().await.unwrap();
    let line = shop.until_logged("stdout: away ").await;
    let pids: Vec<&str> = line.split_whitespace().rev().take(2).collect();
    assert!(pids.iter().all(|pid| runs(pid)), "{pids:?}");
    guest.stop().await;
    assert_eq!(pids.iter().filter(|pid| runs(pid)).count(), 0, "{pids:?}");
    let said = "WARNING guest: 2 processes that the extension had started and detached from the runner ended with it";
    shop.until_logged(said).await;
}

#[test]
fn a_console_that_ends_without_stopping_it_takes_the_runner_and_its_children_with_it() {
    let children = "import subprocess\nsys.stdout.write(f\"child {subprocess.Popen(['sleep', '600']).pid}\\n\")\n";
    let Some(shop) = Shop::new(&format!("{children}{FOREVER}")) else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let everybody = runtime.block_on(async {
        let guest = shop.start().await.unwrap();
        let line = shop.until_logged("stdout: child ").await;
        let child = line.rsplit(' ').next().unwrap().parse().unwrap();
        let runner = guest.status().borrow().pid.unwrap().try_into().unwrap();
        std::mem::forget(guest); // as where a task of the console ends by a panic: nobody tells the guest to stop
        [child, runner].map(|pid| Pid::from_raw(pid).unwrap())
    });
    drop(runtime);
    let another = tokio::runtime::Runtime::new().unwrap();
    another.block_on(async { tokio::time::timeout(PATIENCE, all_ended(everybody)).await.expect("somebody is left") });
}

#[tokio::test]
async fn a_console_that_is_killed_takes_the_runner_with_it() {
    let behaviour = "import subprocess\n\
                     stays, goes = (subprocess.Popen(['sleep', '600'], start_new_session=away) for away in (False, True))\n\
                     print(stays.pid, goes.pid, flush=True)\n";
    let Some(shop) = Shop::new(&format!("{behaviour}{FOREVER}")) else { return };
    let launcher = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/guest/launch.py");
    let mut child = Command::new(shop.project().join(".venv/bin/python"))
        .arg(launcher)
        .arg(shop.project().join(".venv/bin/cextrun"))
        .env("SERVER_ADDRESS", "127.0.0.1:1")
        .env("CONNECT_CONSOLE_RUNNER", format!("of-a-test-{}", std::process::id()))
        .current_dir(shop.project())
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut started = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut started).unwrap();
    let launched = child.id().to_string();
    let everybody = started.split_whitespace().chain([launched.as_str()]);
    let everybody: Vec<Pid> = everybody.map(|pid| Pid::from_raw(pid.parse().unwrap()).unwrap()).collect();
    assert_eq!(everybody.len(), 3, "{started}");
    // The kernel closes what a killed process held.
    drop(child.stdin.take());
    tokio::time::timeout(PATIENCE, all_ended(everybody)).await.expect("somebody is left");
    child.wait().unwrap();
}

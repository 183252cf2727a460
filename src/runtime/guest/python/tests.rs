use rstest::rstest;
use serde_json::json;

use super::*;

fn environment(dir: &Path) -> PathBuf {
    let python = dir.join("bin/python");
    std::fs::create_dir_all(dir.join("bin")).unwrap();
    std::fs::write(&python, "").unwrap();
    python
}

#[test]
fn the_interpreter_named_wins_then_the_projects_own_then_the_active_one_then_the_systems() {
    let dir = tempfile::tempdir().unwrap();
    let (project, active, system) = (dir.path().join("project"), dir.path().join("active"), dir.path().join("system"));
    std::fs::create_dir_all(&project).unwrap();
    std::fs::create_dir_all(&system).unwrap();
    let around = Surroundings { virtual_env: Some(active.clone()), path: Some(system.clone().into()) };
    let found = |named: Option<&Path>| find(named, &project, &around);
    let sentence = found(None).unwrap_err().to_string();
    assert!(sentence.starts_with("no Python was found") && sentence.contains("--python"), "{sentence}");
    std::fs::write(system.join("python3"), "").unwrap();
    assert_eq!(found(None).unwrap(), system.join("python3"));
    let active = environment(&active);
    assert_eq!(found(None).unwrap(), active);
    let own = environment(&project.join("venv"));
    assert_eq!(found(None).unwrap(), own);
    let dotted = environment(&project.join(".venv"));
    assert_eq!(found(None).unwrap(), dotted);
    assert_eq!(found(Some(&system.join("python3"))).unwrap(), system.join("python3"));
    assert_eq!(found(Some(&project.join("venv"))).unwrap(), own);
    let sentence = found(Some(Path::new("/no/such"))).unwrap_err().to_string();
    assert!(sentence.starts_with("there is no Python at /no/such"), "{sentence}");
}

struct Case {
    dir: tempfile::TempDir,
    report: serde_json::Value,
}

impl Case {
    /// A project with one entry point, its runner installed, itself not.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("pyproject.toml"), "").unwrap();
        let report = json!({
            "python": "3.11.7", "executable": "/py", "runner": {"version": "43.1", "script": null}, "certificates": null,
            "declared": {"name": "My.Shop", "version": "1.0", "entry_points": {"eventsapp": "my_shop.events:App"}},
            "installed": [], "source_root": null,
        });
        Self { dir, report }
    }

    fn installed(mut self, file: &str, distribution: &str) -> Self {
        let file = self.dir.path().canonicalize().unwrap().join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "").unwrap();
        self.report["installed"] = json!([{"value": "my_shop.events:App", "file": file, "distribution": distribution}]);
        self
    }

    fn judged(&self) -> Result<Plan, String> {
        let report = serde_json::from_value(self.report.clone()).unwrap();
        let project = self.dir.path().canonicalize().unwrap();
        judge(Path::new("/venv/bin/python"), &project, &report).map_err(|e| e.to_string())
    }
}

#[test]
fn a_missing_runner_is_said_with_the_command_that_installs_it() {
    let mut case = Case::new();
    case.report["runner"] = json!(null);
    let sentence = "the official runner is not installed for /venv/bin/python: \
                    run `/venv/bin/python -m pip install connect-extension-runner`";
    assert_eq!(case.judged().unwrap_err(), sentence);
}

#[test]
fn a_project_that_can_be_run_neither_installed_nor_from_source_is_said_with_the_command_that_installs_it() {
    let sentence = Case::new().judged().unwrap_err();
    assert!(sentence.contains("is not installed for /venv/bin/python: run `/venv/bin/python -m pip install -e /"), "{sentence}");
}

#[test]
fn a_project_without_the_entry_point_is_told_where_to_put_it() {
    let mut case = Case::new();
    case.report["declared"]["entry_points"] = json!({});
    let sentence = case.judged().unwrap_err();
    assert!(sentence.contains("its pyproject.toml needs an entry point of the group `connect.eaas.ext`"), "{sentence}");
    assert!(sentence.contains("my_shop.events:EventsApplication"), "{sentence}");
}

#[test]
fn installed_from_here_it_runs_as_it_is() {
    assert_eq!(Case::new().installed("my_shop/events.py", "my-shop").judged(), Ok(Plan::default()));
}

#[test]
fn not_installed_but_complete_it_runs_from_its_sources() {
    let mut case = Case::new();
    case.report["source_root"] = json!("/project/src");
    assert_eq!(case.judged().unwrap().source_root, Some("/project/src".into()));
}

#[test]
fn a_copy_in_an_environment_inside_the_project_is_a_copy() {
    let case = Case::new().installed(".venv/lib/my_shop/events.py", "my_shop");
    std::fs::write(case.dir.path().join(".venv/pyvenv.cfg"), "").unwrap();
    let advice = case.judged().unwrap().advice.unwrap();
    assert!(advice.contains("is installed as a copy") && advice.contains("pip install -e"), "{advice}");
}

#[test]
fn the_extension_of_another_project_is_not_taken_for_this_one() {
    let case = Case::new().installed(".venv/lib/my_shop/events.py", "somebody-elses");
    std::fs::write(case.dir.path().join(".venv/pyvenv.cfg"), "").unwrap();
    assert!(case.judged().unwrap_err().contains("is not installed"));
}

#[rstest]
#[case("/plain/path-1.0", "/plain/path-1.0")]
#[case("/with space", "'/with space'")]
#[case("/it's", r"'/it'\''s'")]
fn a_command_can_be_pasted_into_a_shell(#[case] path: &str, #[case] expected: &str) {
    assert_eq!(quoted(Path::new(path)), expected);
}

//! The README's table of keys is made from the [action table](super::action), so that it cannot say something else.

use super::action::{ACTIONS, Context};
use super::keymap::shown;

const BEGIN: &str = "<!-- keys: made from the action table by `UPDATE_README=1 cargo test --lib readme` -->\n";
const END: &str = "<!-- end of keys -->";

fn table() -> String {
    let mut table = String::from("| keys | where | do |\n| --- | --- | --- |\n");
    for action in ACTIONS {
        let keys: Vec<String> = action.keys.iter().map(|key| format!("`{}`", shown(key))).collect();
        let place = |context: &Context| match context {
            Context::Pane(pane) => format!("{pane:?}"),
            Context::Everywhere => "everywhere".into(),
        };
        let places: Vec<String> = action.contexts.iter().map(place).collect();
        table.push_str(&format!("| {} | {} | {} |\n", keys.join(" "), places.join(", "), action.description));
    }
    table
}

#[test]
fn the_readme_lists_every_key() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("the README marks where its keys begin");
    let (listed, after) = rest.split_once(END).expect("the README marks where its keys end");
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(path, format!("{before}{BEGIN}{}{END}{after}", table())).unwrap();
    } else {
        assert_eq!(listed, table());
    }
}

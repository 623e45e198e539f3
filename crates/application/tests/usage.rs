//! `docs/programs.md` shows what the programs print about their flags.
//!
//! `SEPTET_BLESS=1 cargo test -p septet-application --test usage` writes it there.

use septet_application::programs::PROGRAMS;

/// What stands before the first program.
const END_OF_PREFACE: &str = "\n## ";

#[test]
fn the_page_of_the_programs_has_every_flag() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/programs.md");
    let text = std::fs::read_to_string(path).unwrap();
    let preface = text.find(END_OF_PREFACE).map_or(text.as_str(), |at| &text[..at]);
    let mut page = preface.trim_end().to_owned() + "\n";
    for program in PROGRAMS {
        let (usage, summary) = (program.usage().trim_end(), program.summary());
        let summary = summary[..1].to_uppercase() + &summary[1..];
        page += &format!("\n## `{}`\n\n{summary}.\n\n```text\n{usage}\n```\n", program.name());
    }
    if std::env::var_os("SEPTET_BLESS").is_some_and(|v| v == "1") {
        std::fs::write(path, &page).unwrap();
    }
    assert!(text == page, "write it anew: SEPTET_BLESS=1 cargo test -p septet-application --test usage");
}

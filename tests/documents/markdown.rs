//! Reads what the other tests need from the project's Markdown files.

use std::path::{Path, PathBuf};

/// A Markdown file of the project.
pub(super) struct Document {
    /// Its path from the root of the project.
    pub(super) path: String,
    pub(super) text: String,
}

/// A code block, with its indentation removed.
pub(super) struct Block {
    pub(super) language: String,
    pub(super) lines: Vec<String>,
}

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Markdown file except the runbook, which is the program's input.
pub(super) fn documents() -> Vec<Document> {
    let (mut documents, mut directories) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(root().join(&directory)).unwrap() {
            let path = directory.join(entry.unwrap().file_name());
            let name = path.file_name().unwrap().to_str().unwrap();
            let is_markdown = Path::new(name).extension().is_some_and(|extension| extension == "md");
            if root().join(&path).is_dir() {
                // Directories that are no part of the project: built, or of git.
                if !["target", ".git"].contains(&name) {
                    directories.push(path);
                }
            } else if is_markdown && name != "RUNBOOK.md" {
                documents.push(read(path.to_str().unwrap()));
            }
        }
    }
    documents.sort_by(|one, other| one.path.cmp(&other.path));
    documents
}

pub(super) fn read(path: &str) -> Document {
    let text = std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    Document { path: path.to_owned(), text }
}

impl Document {
    /// The code blocks, and the text without them.
    fn parts(&self) -> (Vec<Block>, String) {
        let (mut blocks, mut prose, mut open): (Vec<Block>, String, Option<(String, Block)>) =
            Default::default();
        for line in self.text.lines() {
            let trimmed = line.trim_start();
            let indentation = &line[..line.len() - trimmed.len()];
            match (trimmed.strip_prefix("```"), open.take()) {
                (Some(language), None) => {
                    let block = Block { language: language.to_owned(), lines: Vec::new() };
                    open = Some((indentation.to_owned(), block));
                }
                (Some(_), Some((_, block))) => blocks.push(block),
                (None, Some((indentation, mut block))) => {
                    block.lines.push(line.strip_prefix(&indentation).unwrap_or(line).to_owned());
                    open = Some((indentation, block));
                }
                (None, None) => {
                    prose.push_str(line);
                    prose.push('\n');
                }
            }
        }
        assert!(open.is_none(), "{}: a code block does not end", self.path);
        (blocks, prose)
    }

    pub(super) fn blocks(&self) -> Vec<Block> {
        self.parts().0
    }

    /// The text between code blocks.
    pub(super) fn prose(&self) -> String {
        self.parts().1
    }

    /// The texts between backticks, outside of code blocks.
    pub(super) fn code_spans(&self) -> Vec<String> {
        let prose = self.prose();
        // A span does not reach over a paragraph, and one over a line's end has a blank there.
        let paragraphs = prose.split("\n\n").flat_map(|paragraph| {
            let lines: Vec<&str> = paragraph.lines().collect();
            if lines.iter().any(|line| line.trim_start().starts_with('|')) {
                lines.into_iter().map(str::to_owned).collect()
            } else {
                vec![lines.join(" ")]
            }
        });
        paragraphs
            .flat_map(|text| text.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>())
            .collect()
    }

    /// The anchors of the headings, as GitHub makes them.
    pub(super) fn anchors(&self) -> Vec<String> {
        let prose = self.prose();
        let headings = prose.lines().filter(|line| line.starts_with('#'));
        headings
            .map(|line| {
                let title = line.trim_start_matches('#').trim().to_lowercase();
                let kept = title.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
                kept.map(|c| if c == ' ' { '-' } else { c }).collect()
            })
            .collect()
    }

    /// The targets of links, also of those defined at the end of a page.
    pub(super) fn links(&self) -> Vec<String> {
        let words = self.prose();
        let inline = words.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let defined =
            words.lines().filter(|line| line.starts_with('[')).filter_map(|line| line.split("]: ").nth(1));
        inline.chain(defined).map(str::to_owned).collect()
    }

    /// The first cells of the rows of all tables, and the rest of each row.
    pub(super) fn rows(&self) -> Vec<(String, String)> {
        let prose = self.prose();
        let rows = prose.lines().filter_map(|line| line.trim().strip_prefix("| ")?.split_once(" | "));
        rows.map(|(first, rest)| (first.to_owned(), rest.to_owned())).collect()
    }
}

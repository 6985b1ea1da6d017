//! Links, anchors and paths point to something.

use std::path::Path;

use super::markdown::{documents, read, root};

#[test]
fn every_link_and_anchor_exists() {
    let mut broken = Vec::new();
    for document in documents() {
        let directory = Path::new(&document.path).parent().unwrap();
        for link in document.links() {
            if link.starts_with("https://") {
                continue;
            }
            let (file, anchor) =
                link.split_once('#').map_or((link.as_str(), None), |(file, at)| (file, Some(at)));
            let target = if file.is_empty() {
                document.path.clone()
            } else {
                directory.join(file).to_str().unwrap().to_owned()
            };
            if !root().join(&target).exists() {
                broken.push(format!("{}: {link}", document.path));
            } else if anchor.is_some_and(|anchor| !read(&target).anchors().iter().any(|is| is == anchor)) {
                broken.push(format!("{}: no heading for {link}", document.path));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Paths that a run makes, and none of the project.
const MADE: [&str; 4] = ["evidence/staging", "tools/", "target/", "k8s/*.yaml"];

#[test]
fn every_path_of_the_project_exists() {
    const BEGINNINGS: [&str; 9] =
        ["src/", "tests/", "docs/", "scripts/", "k8s/", "evidence/", "benches/", "fuzz/", ".ci/"];
    let mut missing = Vec::new();
    for document in documents() {
        let spans = document.code_spans();
        for word in spans.iter().flat_map(|span| span.split_whitespace()) {
            let is_path = BEGINNINGS.iter().any(|start| word.starts_with(start));
            if !is_path || MADE.iter().any(|made| word.starts_with(made)) {
                continue;
            }
            // `tests/pages/*.snap`: the directory has such a file.
            let exists = match word.split_once('*') {
                Some((directory, end)) => {
                    std::fs::read_dir(root().join(directory)).is_ok_and(|mut entries| {
                        entries.any(|entry| entry.unwrap().file_name().to_str().unwrap().ends_with(end))
                    })
                }
                None => root().join(word).exists(),
            };
            if !exists {
                missing.push(format!("{}: {word}", document.path));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

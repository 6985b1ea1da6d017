use std::io::{self, Read, Seek, SeekFrom, Write};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err::os::unix::fs::OpenOptionsExt as _;
use fs_err::{self as fs, File, OpenOptions};

use super::http_headers::HeaderFilter;
use super::redaction::{Redactor, SecretPatterns};
use crate::events::{ByteRange, Redaction};

/// The folder of one run.
pub struct Tree {
    root: Utf8PathBuf,
    patterns: SecretPatterns,
}

impl Tree {
    /// The tree in an existing folder; what `forms` names is taken out of all that is written.
    pub fn new(root: Utf8PathBuf, patterns: SecretPatterns) -> Self {
        Self { root, patterns }
    }

    /// Its folder.
    pub fn root(&self) -> &Utf8Path {
        &self.root
    }

    /// What is taken out of all that is written.
    pub fn patterns(&self) -> &SecretPatterns {
        &self.patterns
    }

    /// The path of one of its files.
    pub fn path(&self, file: &str) -> Utf8PathBuf {
        self.root.join(file)
    }

    /// Makes sure a file is there, empty if it was not.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn touch(&self, file: &str) -> io::Result<()> {
        self.append(file).map(drop)
    }

    /// Replaces a file whole: a reader sees the old one or the new one, also after a crash.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn replace(&self, file: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.path(file);
        let folder = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder)?;
        let mut new = tempfile::Builder::new()
            .prefix(".")
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666))
            .tempfile_in(folder)?;
        new.write_all(bytes)?;
        new.as_file().sync_all()?;
        new.persist(&path).map_err(|error| error.error)?;
        File::open(folder)?.sync_all()
    }

    /// Replaces a file with text from which the named values are taken out.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn replace_text(&self, file: &str, text: &str) -> io::Result<()> {
        self.replace(file, self.patterns.redact_str(text).as_bytes())
    }

    /// A place for a child's output at the end of a file, which is made with the first byte.
    pub fn sink(&self, file: &str) -> Sink<'_> {
        let end = FileEnd { tree: self, name: file.to_owned(), file: None, from: 0, to: 0 };
        Sink { redactor: Redactor::new(&self.patterns, end), head: None }
    }

    /// A [`Tree::sink`] for what `curl -i` prints: of its head, the values that open a session are left out.
    pub fn answer_sink(&self, file: &str) -> Sink<'_> {
        Sink { head: Some(HeaderFilter::default()), ..self.sink(file) }
    }

    /// The bytes of a stretch of a file.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn read(&self, range: Option<&ByteRange>) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        if let Some(range) = range {
            self.open(range)?.read_to_end(&mut bytes)?;
        }
        Ok(bytes)
    }

    /// The bytes of a stretch of a file, to be read piece by piece.
    ///
    /// # Errors
    /// When the file can't be opened.
    pub fn open(&self, range: &ByteRange) -> io::Result<impl Read + use<>> {
        let mut file = File::open(self.path(&range.file))?;
        file.seek(SeekFrom::Start(range.from))?;
        Ok(file.take(range.length()))
    }

    /// The paths of all its files, sorted by their bytes.
    ///
    /// # Errors
    /// When a folder can't be read.
    pub fn list(&self) -> io::Result<Vec<String>> {
        let mut folders = vec![self.root.clone()];
        let mut files = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in folder.read_dir_utf8()? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    folders.push(entry.into_path());
                } else if let Ok(file) = entry.path().strip_prefix(&self.root) {
                    files.push(file.to_string());
                }
            }
        }
        files.sort_unstable();
        Ok(files)
    }

    fn append(&self, file: &str) -> io::Result<File> {
        let path = self.path(file);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        OpenOptions::new().append(true).create(true).custom_flags(super::not_a_link()).open(path)
    }
}

/// Takes a child's bytes, takes the named values out, and appends the rest to a file of the tree.
pub struct Sink<'a> {
    redactor: Redactor<'a, FileEnd<'a>>,
    head: Option<HeaderFilter>,
}

/// What a [`Sink`] kept.
#[derive(Debug, Default)]
pub struct Kept {
    /// Where; `None`: there was nothing.
    pub range: Option<ByteRange>,
    /// What was taken out.
    pub redactions: Vec<Redaction>,
}

impl Sink<'_> {
    /// Writes what was held back, and tells what was kept.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn finish(mut self) -> io::Result<Kept> {
        if let Some(head) = &mut self.head {
            head.finish(&mut self.redactor)?;
        }
        let of_head = self.head.iter().flat_map(HeaderFilter::taken_out);
        let of_head: Vec<(String, u64)> = of_head.map(|(name, count)| (name.to_owned(), count)).collect();
        let (end, counts) = self.redactor.finish()?;
        let redactions = counts
            .into_iter()
            .chain(of_head)
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| Redaction { file: end.name.clone(), name, count })
            .collect();
        let range = (end.to > end.from).then_some(ByteRange { file: end.name, from: end.from, to: end.to });
        Ok(Kept { range, redactions })
    }
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.head {
            None => self.redactor.write(bytes),
            Some(head) => head.pass(bytes, &mut self.redactor).map(|()| bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.redactor.flush()
    }
}

/// The end of a file, which is made with the first byte.
struct FileEnd<'a> {
    tree: &'a Tree,
    name: String,
    file: Option<File>,
    from: u64,
    to: u64,
}

impl Write for FileEnd<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let file = self.tree.append(&self.name)?;
                self.from = file.metadata()?.len();
                self.to = self.from;
                none.insert(file)
            }
        };
        let count = file.write(bytes)?;
        self.to += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

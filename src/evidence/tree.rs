//! The directory of one run: writing files into it, and reading them back.
//!
//! A child's output is redacted before it is written. A replaced file is always the old one or the new one as
//! a whole, also after a crash. No write follows a symbolic link in place of a file.

use std::io::{self, Read, Seek, SeekFrom, Write};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err::os::unix::fs::OpenOptionsExt as _;
use fs_err::{self as fs, File, OpenOptions};

use super::http_headers::HeaderFilter;
use super::redaction::{Redactor, SecretPatterns};
use crate::events::{ByteRange, Redaction};

/// The directory of one run.
pub struct Tree {
    root: Utf8PathBuf,
    patterns: SecretPatterns,
}

impl Tree {
    /// Returns the tree of an existing directory; the secrets of `patterns` are redacted from children's
    /// output.
    pub fn new(root: Utf8PathBuf, patterns: SecretPatterns) -> Self {
        Self { root, patterns }
    }

    /// Returns the tree's directory.
    pub fn root(&self) -> &Utf8Path {
        &self.root
    }

    /// Returns the patterns of the secrets that are redacted.
    pub fn patterns(&self) -> &SecretPatterns {
        &self.patterns
    }

    /// Returns the path of a file in the tree.
    pub fn path(&self, file: &str) -> Utf8PathBuf {
        self.root.join(file)
    }

    /// Creates an empty file, unless the file exists.
    ///
    /// # Errors
    /// When the file can't be created.
    pub fn touch(&self, file: &str) -> io::Result<()> {
        self.append(file).map(drop)
    }

    /// Replaces a whole file atomically: a reader sees the old file or the new one, also after a crash.
    ///
    /// # Errors
    /// When the file can't be written.
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

    /// Returns a sink that appends a child's output to a file, which is created with the first byte.
    ///
    /// With `None`, the output is stored nowhere. `copy_to` receives the same bytes after they were stored.
    pub fn sink<'a>(&'a self, file: Option<&str>, copy_to: &'a mut dyn Write) -> Sink<'a> {
        let name = file.map(str::to_owned);
        let end = FileEnd { tree: self, name, file: None, from: 0, to: 0, copy_to };
        Sink { redactor: Redactor::new(&self.patterns, end), head: None }
    }

    /// Reads a range of bytes of a file; without a range, returns no bytes.
    ///
    /// # Errors
    /// When the bytes can't be read.
    pub fn read(&self, range: Option<&ByteRange>) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        if let Some(range) = range {
            self.open(range)?.read_to_end(&mut bytes)?;
        }
        Ok(bytes)
    }

    /// Opens a range of bytes of a file, to read it piece by piece.
    ///
    /// # Errors
    /// When the file can't be opened.
    pub fn open(&self, range: &ByteRange) -> io::Result<impl Read + use<>> {
        let mut file = File::open(self.path(&range.file))?;
        file.seek(SeekFrom::Start(range.from))?;
        Ok(file.take(range.length()))
    }

    /// Returns the paths of all files in the tree, sorted by their bytes.
    ///
    /// # Errors
    /// When a directory can't be read.
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

/// A writer for a child's output: it redacts the named values first, then appends to a file of the tree and
/// copies.
pub struct Sink<'a> {
    redactor: Redactor<'a, FileEnd<'a>>,
    head: Option<HeaderFilter>,
}

/// The result of a [`Sink`].
#[derive(Debug, Default)]
pub struct Kept {
    /// The range of bytes that was stored; `None` if there were none.
    pub range: Option<ByteRange>,
    /// The redactions, for each name.
    pub redactions: Vec<Redaction>,
}

impl Sink<'_> {
    /// Redacts also the secret HTTP header fields, for the output of `curl -i`.
    #[must_use]
    pub fn of_an_answer(self) -> Self {
        Self { head: Some(HeaderFilter::default()), ..self }
    }

    /// Writes the bytes that were held back, and returns the stored range and the redactions.
    ///
    /// # Errors
    /// When the disk does not accept the bytes.
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
            .filter(|(_, count)| *count > 0 && end.name.is_some())
            .map(|(name, count)| Redaction { file: end.name.clone().unwrap_or_default(), name, count })
            .collect();
        let (from, to) = (end.from, end.to);
        let range = end.name.filter(|_| to > from).map(|file| ByteRange { file, from, to });
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

/// A writer at the end of a file, which is created with the first byte.
struct FileEnd<'a> {
    tree: &'a Tree,
    name: Option<String>,
    file: Option<File>,
    from: u64,
    to: u64,
    copy_to: &'a mut dyn Write,
}

impl Write for FileEnd<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(name) = &self.name {
            let file = match &mut self.file {
                Some(file) => file,
                none => {
                    let file = self.tree.append(name)?;
                    self.from = file.metadata()?.len();
                    self.to = self.from;
                    none.insert(file)
                }
            };
            file.write_all(bytes)?;
            self.to += bytes.len() as u64;
        }
        self.copy_to.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

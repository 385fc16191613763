//! Every place where writing may fail or the world may end: what is on disk is
//! the old or the new, never neither, never torn.

use alloc::collections::BTreeMap;

use super::super::std::fs;
use super::super::std::path::PathBuf;
use super::super::std::prelude::rust_2024::*;
use super::super::std::{assert, assert_eq, format, vec};
use super::*;
use crate::engine::{Language, Layer, NamedFile};

fn doc(text: &str) -> Document {
    Document::new([
        Layer::new("base.yaml", text.as_bytes()),
        Layer::new("a \"quoted\"\nname\u{1b}", *b"x: 1\n\nend\n"),
    ])
}

fn large(n: usize) -> Document {
    doc(&format!("n: {n}\n").repeat(2000))
}

#[test]
fn what_is_written_reads_back() {
    for document in [
        doc(""),
        doc("document 3 \"x\"\nend\n"),
        Document::single("one", [0, 255, 10, 13]),
        Document::new([]),
        Document::new([
            Layer::new("a", *b"a: 1").optional(),
            Layer::text("/run/secrets/b \"c\"", "[\"b \\\"c\\\"\"]", *b"x\n").secret(),
            Layer::text("keys/none", "none", *b"").secret().optional(),
            Layer::field("d", "d.e", *b"1"),
        ]),
        Document::new([
            Layer::new("a", *b"a = 1").language(Language::Toml),
            Layer::new("b", *b"{}")
                .language(Language::Json)
                .at_position(3)
                .optional(),
        ])
        .with_files([NamedFile::new("/cert \"1\"", *b"x\nend\n")]),
    ] {
        assert_eq!(text::decode(&text::encode(&document)), Ok(document));
    }
}

#[test]
fn g18_names_of_any_characters_read_back() {
    let others = ('\u{3000}'..=char::MAX).step_by(13);
    let characters: Vec<char> = ('\0'..'\u{3000}').chain(others).collect();
    for some in characters.chunks(20_000) {
        let name: String = some.iter().collect();
        let layer = Layer::text(name.as_str(), name.as_str(), *b"x").secret();
        let document = Document::new([layer, Layer::new(name, *b"y")]);
        assert_eq!(text::decode(&text::encode(&document)), Ok(document));
    }
}

#[test]
fn g18_what_could_not_be_read_back_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("last.good");
    let mut last_good = LastGood::new(&path);
    last_good.max_bytes(100);
    last_good.keep(&doc("a: 1\n"), Duration::ZERO);
    // Five thousand small files in folders with long names.
    let names = (0..5000).map(|n| format!("{}/{n}.yaml", "ä".repeat(150)));
    let many = Document::new(names.map(|name| Layer::new(name, *b"")).collect::<Vec<_>>());
    last_good.keep(&many, Duration::ZERO);
    let failure = last_good.failure().unwrap();
    assert!(failure.contains("could be read back"), "{failure}");
    assert_eq!(last_good.read(), Ok(doc("a: 1\n")), "the old one stays");

    // One byte decides.
    let with_name = |length: usize| Document::single("n".repeat(length), *b"");
    let head = text::encode(&with_name(0)).len();
    for (over, is_kept) in [(0, true), (1, false)] {
        let document = with_name(last_good.limit() - head + over);
        last_good.keep(&document, Duration::from_secs(100));
        assert_eq!(last_good.failure().is_none(), is_kept, "{over}");
        assert_eq!(last_good.read() == Ok(document), is_kept, "{over}");
    }
}

#[test]
fn g18_damage_of_any_kind_is_found() {
    let good = text::encode(&doc("greeting: hello\n"));
    for cut in 0..good.len() {
        assert!(text::decode(&good[..cut]).is_err(), "cut at {cut}");
    }
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert!(text::decode(&bad).is_err(), "flipped at {at}");
    }
    let mut longer = good.clone();
    longer.extend_from_slice(b"more\n");
    assert!(text::decode(&longer).is_err());
    let newer = b"steadyconf last known good, format 2\nwhatever\n";
    assert_eq!(
        text::decode(newer),
        Err("it has a format that this version does not know")
    );
    // A right checksum of nonsense is no reason to believe it.
    for body in [
        "",
        "end",
        "end\nend\n",
        "document 9 \"x\"\nabc\nend\n",
        "document -1 \"x\"\n\nend\n",
        "text 0 \"x\"\n\nend\n",
    ] {
        let sum = crate::engine::Digest::of(body.as_bytes());
        let text = format!("steadyconf last known good, format 1\n{sum}\n{body}");
        assert!(text::decode(text.as_bytes()).is_err(), "{body:?}");
    }
}

/// The real disk, until a certain call: that one fails, or the world ends there, in
/// the middle of it or just before.
struct Faulty {
    real: Folder,
    left: usize,
    ends: bool,
    calls: usize,
}

impl Faulty {
    fn at(left: usize, ends: bool) -> Self {
        Faulty {
            real: Folder,
            left,
            ends,
            calls: 0,
        }
    }

    fn call<R>(&mut self, real: impl FnOnce(&mut Folder) -> io::Result<R>) -> io::Result<R> {
        self.calls += 1;
        let nth = self.calls;
        if nth == self.left || (self.ends && nth > self.left) {
            return Err(io::Error::other("no space left on device"));
        }
        real(&mut self.real)
    }
}

impl Disk for Faulty {
    type File = <Folder as Disk>::File;

    fn target(&mut self, path: &Path) -> io::Result<PathBuf> {
        self.call(|real| real.target(path))
    }

    fn head(&mut self, path: &Path, length: usize) -> io::Result<Vec<u8>> {
        self.call(|real| real.head(path, length))
    }

    fn identity(&mut self, path: &Path) -> Option<Identity> {
        self.real.identity(path)
    }

    fn create(&mut self, path: &Path) -> io::Result<Self::File> {
        self.call(|real| real.create(path))
    }

    fn write_all(&mut self, file: &mut Self::File, bytes: &[u8]) -> io::Result<()> {
        let half = bytes.len() / 2;
        // Half of it may get there.
        self.call(|real| real.write_all(file, &bytes[..half]))?;
        self.call(|real| real.write_all(file, &bytes[half..]))
    }

    fn sync(&mut self, file: &mut Self::File) -> io::Result<()> {
        self.call(|real| real.sync(file))
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.call(|real| real.rename(from, to))
    }

    fn sync_folder(&mut self, folder: &Path) -> io::Result<()> {
        self.call(|real| real.sync_folder(folder))
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.call(|real| real.remove(path))
    }

    fn remove_leftovers(&mut self, folder: &Path, name: &str) {
        let _ = self.call(|real| {
            real.remove_leftovers(folder, name);
            Ok(())
        });
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn g18_whichever_call_fails_old_or_new_is_there() {
    const CALLS: usize = 9;
    for ends in [false, true] {
        for left in 1..=CALLS + 1 {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("last.good");
            let mut first = LastGood::new(&path);
            first.max_bytes(1 << 20);
            first.keep(&large(1), Duration::ZERO);
            assert_eq!(first.failure(), None);

            let mut last_good = LastGood::on(Faulty::at(left, ends), &path);
            last_good.max_bytes(1 << 20);
            last_good.keep(&large(2), Duration::ZERO);
            let found = first.read().unwrap();
            let renamed = left > 8 || (left == 3 && !ends);
            let expected = if renamed { large(2) } else { large(1) };
            assert_eq!(found, expected, "at call {left}, ends: {ends}");
            // The third call removes what is left over, and may fail.
            let fails = left <= CALLS && (left != 3 || ends);
            assert_eq!(last_good.failure().is_some(), fails, "at call {left}");
            if !ends {
                assert_eq!(names(folder.path()), ["last.good"], "at call {left}");
            }

            // The next process, or the next try, cleans up and succeeds.
            last_good.disk.left = usize::MAX;
            last_good.keep(&large(3), Duration::from_secs(1));
            assert_eq!(last_good.failure(), None);
            assert_eq!(first.read().unwrap(), large(3));
            assert_eq!(names(folder.path()), ["last.good"]);
        }
    }
}

#[test]
fn g18_a_failure_is_tried_again_less_and_less_often() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing").join("last.good");
    let mut last_good = LastGood::on(Faulty::at(usize::MAX, false), &path);
    let mut tries = 0;
    for second in 0..300 {
        let before = last_good.disk.calls;
        last_good.keep(&large(1), Duration::from_secs(second));
        tries += usize::from(last_good.disk.calls > before);
    }
    assert_eq!(tries, 10, "after 1, 2, 4, … and then every 60 seconds");
    assert!(last_good.failure().is_some());
}

#[test]
fn g18_what_a_failed_flush_left_behind_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("last.good");
    let mut last_good = LastGood::on(Faulty::at(usize::MAX, false), &path);
    last_good.max_bytes(1 << 20);
    last_good.keep(&large(1), Duration::ZERO);
    // The flush of the folder: the new one has its name already.
    last_good.disk.calls = 0;
    last_good.disk.left = 9;
    last_good.keep(&large(2), Duration::ZERO);
    assert!(last_good.failure().is_some());
    // What was applied then is rolled back, at once.
    last_good.disk.left = usize::MAX;
    last_good.keep(&large(1), Duration::ZERO);
    assert_eq!(last_good.failure(), None);
    assert_eq!(last_good.read(), Ok(large(1)));
}

#[test]
fn g18_what_is_something_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    fs::write(&path, "hello: world\n").unwrap();
    let mut last_good = LastGood::new(&path);
    last_good.keep(&large(1), Duration::ZERO);
    assert!(last_good.failure().is_some());
    assert_eq!(fs::read_to_string(&path).unwrap(), "hello: world\n");
}

/// Writes this to where the last known good belongs, and keeps a document there, as a
/// process does that was just started. Returns whether it was kept.
fn is_replaced(bytes: &[u8]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("last.good");
    fs::write(&path, bytes).unwrap();
    let mut last_good = LastGood::new(&path);
    last_good.keep(&large(2), Duration::ZERO);
    match last_good.failure() {
        None => assert_eq!(last_good.read(), Ok(large(2))),
        Some(failure) => {
            assert!(failure.contains("is left alone"), "{failure}");
            assert_eq!(fs::read(&path).unwrap(), bytes);
        }
    }
    last_good.failure().is_none()
}

#[test]
fn g18_damage_in_its_first_bytes_is_repaired() {
    let good = text::encode(&large(1));
    for spoilt in [0, b'\n', b'x', 0xff] {
        for length in [1, 10, text::FAMILY.len(), text::HEAD] {
            let mut bytes = good.clone();
            bytes[..length].fill(spoilt);
            assert!(is_replaced(&bytes), "{length} bytes of {spoilt}");
        }
    }
    for at in 0..text::HEAD {
        let mut bytes = good.clone();
        bytes[at] ^= 0x80;
        assert!(is_replaced(&bytes), "at {at}");
    }
    // Its content may be damaged, too: then the layers show what it is by their lengths.
    let mut bytes = good.clone();
    bytes[0] = b'S';
    bytes[text::HEAD + 100] ^= 1;
    assert!(is_replaced(&bytes));
    for block in [512, 4096, good.len() - 5] {
        let mut bytes = good.clone();
        bytes[..block].fill(0);
        assert!(is_replaced(&bytes), "a block of {block}");
    }
    for nothing in [0, 1, 4096] {
        assert!(is_replaced(&vec![0; nothing]), "{nothing} NULs");
    }
    let mut none = text::encode(&Document::new([]));
    none[3] = b'!';
    assert!(is_replaced(&none));
}

#[test]
fn g18_a_file_of_somebody_else_is_left_alone() {
    let good = text::encode(&doc("a: 1\n"));
    let with = |before: &[u8], after: &[u8]| [before, &good, after].concat();
    let ends = format!("{}\nend\n", "# a script\n".repeat(20));
    let script = format!("{:109}end\n", "# a script");
    let mut nulls = vec![0; 600];
    nulls.extend_from_slice(b"a database");
    let files: [&[u8]; 9] = [
        b"hello: world\n",
        b"\n",
        b"end\n",
        ends.as_bytes(),
        script.as_bytes(),
        &nulls,
        &with(b"This is how it looks:\n", b""),
        &with(b"\xef\xbb\xbf", b""),
        // It is too large to be one.
        &vec![0; HEADERS + 1],
    ];
    for (index, bytes) in files.iter().enumerate() {
        assert!(!is_replaced(bytes), "{index}");
    }
    // Damage does not move what follows, nor add to it.
    let mut longer = with(b"", b"more\n");
    longer[0] = b'S';
    assert!(!is_replaced(&longer));
}

#[cfg(unix)]
#[test]
fn g18_what_this_process_knows_is_repaired_whatever_is_in_it() {
    for is_written in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last.good");
        let mut writer = LastGood::new(&path);
        writer.max_bytes(1 << 20);
        writer.keep(&large(1), Duration::ZERO);
        let mut last_good = if is_written {
            writer
        } else {
            let mut reader = LastGood::new(&path);
            reader.max_bytes(1 << 20);
            reader.read().unwrap();
            reader
        };
        let length = text::encode(&large(1)).len();
        fs::write(&path, vec![b'x'; length]).unwrap();
        last_good.keep(&large(1), CHECK_EVERY);
        assert_eq!(last_good.failure(), None);
        assert_eq!(last_good.read(), Ok(large(1)));
        // Half of it is one by its beginning, and another length is noticed.
        let half = text::encode(&large(1))[..length / 2].to_vec();
        fs::write(&path, half).unwrap();
        last_good.keep(&large(1), CHECK_EVERY * 2);
        assert_eq!(last_good.read(), Ok(large(1)));

        // Another file of that length is of somebody else, and so is another content.
        let new = folder.path().join("new");
        fs::write(&new, vec![b'x'; length]).unwrap();
        fs::rename(&new, &path).unwrap();
        last_good.keep(&large(1), CHECK_EVERY * 3);
        assert!(last_good.failure().is_some());
        fs::write(&path, "hello: world\n").unwrap();
        last_good.keep(&large(1), CHECK_EVERY * 4);
        assert!(last_good.failure().is_some());
        assert_eq!(fs::read(&path).unwrap(), b"hello: world\n");
    }
}

#[test]
fn a_long_name_is_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut last_good = LastGood::new(&folder.path().join("ä".repeat(120)));
    last_good.keep(&large(1), Duration::ZERO);
    assert_eq!(last_good.failure(), None);
}

#[test]
fn g18_what_belongs_to_this_process_is_never_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("last.good");
    let mut last_good = LastGood::new(&path);
    last_good.max_bytes(1 << 20);
    let secret = Layer::field("environment", "api_key", *b"sk-canary").overriding();
    last_good.keep(&large(1).with(&[secret]), Duration::ZERO);
    assert!(!String::from_utf8_lossy(&fs::read(&path).unwrap()).contains("sk-canary"));
    assert_eq!(last_good.read(), Ok(large(1)));
}

#[test]
fn g18_what_is_there_is_not_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut last_good = LastGood::new(&folder.path().join("last.good"));
    last_good.max_bytes(1 << 20);
    last_good.keep(&large(1), Duration::ZERO);
    fs::remove_file(folder.path().join("last.good")).unwrap();
    last_good.keep(&large(1), Duration::ZERO);
    assert!(names(folder.path()).is_empty(), "not touched");
}

#[cfg(unix)]
#[test]
fn g18_nobody_else_may_read_it_whatever_was_there_before() {
    use super::super::std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("last.good");
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    LastGood::new(&path).keep(&large(1), Duration::ZERO);
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// A disk that keeps apart what was written and what would survive a power cut:
/// bytes survive by a flush of the file, names by a flush of the folder.
#[derive(Clone, Default)]
struct Platters {
    files: Vec<Bytes>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    /// The power is cut after so many calls.
    left: usize,
}

#[derive(Clone, Default)]
struct Bytes {
    written: Vec<u8>,
    durable: usize,
}

impl Platters {
    fn call(&mut self) -> io::Result<()> {
        self.left = self
            .left
            .checked_sub(1)
            .ok_or_else(|| io::Error::other("dark"))?;
        Ok(())
    }

    /// Everything that may be found at `path` afterwards: names and bytes that
    /// were not flushed may have got there, in part or not at all.
    fn found(&self, path: &Path) -> Vec<Option<Vec<u8>>> {
        let mut found = Vec::new();
        for names in [&self.durable_names, &self.names] {
            let Some(file) = names.get(path).map(|index| &self.files[*index]) else {
                found.push(None);
                continue;
            };
            let unflushed = file.written.len() - file.durable;
            for got_there in [0, unflushed / 2, unflushed] {
                found.push(Some(file.written[..file.durable + got_there].to_vec()));
            }
        }
        found
    }
}

impl Disk for Platters {
    type File = usize;

    fn target(&mut self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_path_buf())
    }

    fn head(&mut self, path: &Path, length: usize) -> io::Result<Vec<u8>> {
        let there = self
            .names
            .get(path)
            .map(|index| &self.files[*index].written);
        Ok(there.map_or(Vec::new(), |bytes| bytes[..length].to_vec()))
    }

    fn identity(&mut self, _: &Path) -> Option<Identity> {
        None
    }

    fn create(&mut self, path: &Path) -> io::Result<usize> {
        self.call()?;
        self.files.push(Bytes::default());
        self.names.insert(path.to_path_buf(), self.files.len() - 1);
        Ok(self.files.len() - 1)
    }

    fn write_all(&mut self, file: &mut usize, bytes: &[u8]) -> io::Result<()> {
        for part in bytes.chunks(bytes.len().div_ceil(3)) {
            self.call()?;
            self.files[*file].written.extend_from_slice(part);
        }
        Ok(())
    }

    fn sync(&mut self, file: &mut usize) -> io::Result<()> {
        self.call()?;
        self.files[*file].durable = self.files[*file].written.len();
        Ok(())
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.call()?;
        let index = self.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        self.names.insert(to.to_path_buf(), index);
        Ok(())
    }

    fn sync_folder(&mut self, _: &Path) -> io::Result<()> {
        self.call()?;
        self.durable_names.clone_from(&self.names);
        Ok(())
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.call()?;
        self.names.remove(path);
        Ok(())
    }

    fn remove_leftovers(&mut self, _: &Path, _: &str) {}
}

#[test]
fn g18_a_power_cut_at_any_call_leaves_the_old_or_the_new() {
    let path = Path::new("/var/lib/service/last.good");
    let mut old = LastGood::on(Platters::default(), path);
    old.disk.left = usize::MAX;
    old.keep(&large(1), Duration::ZERO);
    assert_eq!(old.failure(), None);

    let mut calls = 0;
    loop {
        let mut last_good = LastGood::on(old.disk.clone(), path);
        last_good.disk.left = calls;
        last_good.keep(&large(2), Duration::ZERO);
        for found in last_good.disk.found(path) {
            let found = text::decode(&found.expect("never neither"));
            let found = found.expect("never torn");
            assert!([large(1), large(2)].contains(&found), "after {calls} calls");
        }
        if last_good.failure().is_none() {
            // What was said to be written is there for good.
            let found = last_good.disk.found(path);
            let new = Some(text::encode(&large(2)));
            assert!(found.iter().all(|found| *found == new));
            break;
        }
        calls += 1;
    }
    assert_eq!(calls, 7, "create, three writes, flush, rename, flush");
}

#[test]
fn g18_the_limit_of_a_file_is_read_as_linux_writes_it() {
    let head = "Limit                     Soft Limit           Hard Limit           Units\n";
    let cpu = "Max cpu time              unlimited            unlimited            seconds\n";
    let limit = |soft: &str| {
        let size = format!("Max file size             {soft:21}unlimited            bytes\n");
        disk::file_size_limit_in(&format!("{head}{cpu}{size}"))
    };
    assert_eq!(limit("4096"), Some(4096));
    assert_eq!(limit("unlimited"), None);
    assert_eq!(disk::file_size_limit_in(head), None);
}

#[test]
fn g18_temporary_names_are_used_and_known_again() {
    let folder = tempfile::tempdir().unwrap();
    let take = || Temporary::take(folder.path(), "x");
    let (one, two) = (take(), take());
    let path = one.path().to_path_buf();
    assert_ne!(path, two.path(), "both are in use");
    drop(one);
    assert_eq!(take().path(), path);

    let mut others = vec![".x.tmp", "x", ".xy.0123456789abcdef.tmp", ".x.0123.tmp"];
    for other in &others {
        fs::write(folder.path().join(other), "").unwrap();
    }
    fs::write(&path, "").unwrap();
    Folder.remove_leftovers(folder.path(), "x");
    others.sort_unstable();
    assert_eq!(names(folder.path()), others);
}

/// A disk on which files can be made, but neither renamed nor removed.
#[cfg(unix)]
struct AppendOnly(Folder);

#[cfg(unix)]
impl Disk for AppendOnly {
    type File = <Folder as Disk>::File;

    fn target(&mut self, path: &Path) -> io::Result<PathBuf> {
        self.0.target(path)
    }

    fn head(&mut self, path: &Path, length: usize) -> io::Result<Vec<u8>> {
        self.0.head(path, length)
    }

    fn identity(&mut self, path: &Path) -> Option<Identity> {
        self.0.identity(path)
    }

    fn create(&mut self, path: &Path) -> io::Result<Self::File> {
        self.0.create(path)
    }

    fn write_all(&mut self, file: &mut Self::File, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(file, bytes)
    }

    fn sync(&mut self, file: &mut Self::File) -> io::Result<()> {
        self.0.sync(file)
    }

    fn rename(&mut self, _: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn sync_folder(&mut self, folder: &Path) -> io::Result<()> {
        self.0.sync_folder(folder)
    }

    fn remove(&mut self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn remove_leftovers(&mut self, _: &Path, _: &str) {}
}

#[cfg(unix)]
#[test]
fn g18_what_cannot_be_removed_is_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("last.good");
    // One after the other, as where a reloader is made anew.
    for n in 0..10 {
        let mut last_good = LastGood::on(AppendOnly(Folder), &path);
        for second in 0..10 {
            last_good.keep(&large(n), Duration::from_secs(second * 100));
            assert!(last_good.failure().is_some());
        }
    }
    let names = names(folder.path());
    assert_eq!(names.len(), 1, "{names:?}");
    let newest = fs::read(folder.path().join(&names[0])).unwrap();
    assert_eq!(newest, text::encode(&large(9)), "it is written whole");
}

/// Where something else has the name of the temporary file, nothing is written to it.
#[cfg(unix)]
#[test]
fn g18_only_a_leftover_of_this_user_is_written_again() {
    use super::super::std::os::unix::fs::{PermissionsExt, chown, symlink};
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join(".x.0123456789abcdef.tmp");
    let victim = folder.path().join("victim");
    let mode = |mode| fs::set_permissions(&at, fs::Permissions::from_mode(mode)).unwrap();
    let make = |text: &str| {
        let _ = fs::remove_file(&at);
        fs::write(&victim, "a victim").unwrap();
        fs::set_permissions(&victim, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&at, text).unwrap();
        mode(0o600);
    };
    let unchanged = |at: &Path, text: &str| {
        assert!(Folder.create(at).is_err());
        assert_eq!(fs::read_to_string(at).unwrap(), text);
    };

    make("a leftover");
    assert_eq!(Folder.create(&at).unwrap().metadata().unwrap().len(), 0);
    for open in [0o644, 0o620, 0o660, 0o4600] {
        make("others have a part in it");
        mode(open);
        unchanged(&at, "others have a part in it");
    }
    make("");
    fs::remove_file(&at).unwrap();
    fs::hard_link(&victim, &at).unwrap();
    unchanged(&at, "a victim");
    fs::remove_file(&at).unwrap();
    symlink(&victim, &at).unwrap();
    unchanged(&at, "a victim");
    fs::remove_file(&at).unwrap();
    fs::create_dir(&at).unwrap();
    assert!(Folder.create(&at).is_err());
    fs::remove_dir(&at).unwrap();
    make("a stranger's");
    if chown(&at, Some(12345), None).is_ok() {
        unchanged(&at, "a stranger's");
    }
}
